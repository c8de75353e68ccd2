/** IPv4 addresses and ranges of them, as numbers where they are compared and as text where they are used. */

/** The longest range a tier may have: every address becomes one declared server in HAProxy. */
const maxRangeLength = 4_096;

/** Both ends are part of the range. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads `10.0.1.20-10.0.1.51`, or a single address.
 *
 * @returns The range, or the sentence that says what is wrong with it.
 */
export function parseRange(text: string): AddressRange | { readonly problem: string } {
  const [firstText = '', lastText = firstText, ...more] = text.split('-');
  const first = parseAddress(firstText);
  const last = parseAddress(lastText);
  if (first === undefined || last === undefined || more.length > 0) {
    return {
      problem: `expected IPv4 addresses such as 10.0.1.20-10.0.1.51, got ${JSON.stringify(text)}`,
    };
  }
  if (first > last) {
    return { problem: `the range runs backwards: ${lastText} comes before ${firstText}` };
  }
  const length = rangeLength({ first, last });
  if (length > maxRangeLength) {
    return { problem: `the range has ${length} addresses; at most ${maxRangeLength} are possible` };
  }
  return { first, last };
}

/**
 * The range of a text that the schema has accepted.
 *
 * @throws RangeError when the text is not a range after all.
 */
export function acceptedRange(text: string): AddressRange {
  const range = parseRange(text);
  if ('problem' in range) {
    throw new RangeError(range.problem);
  }
  return range;
}

/** How many addresses a range has, at least 1. */
export function rangeLength(range: AddressRange): number {
  return range.last - range.first + 1;
}

/** Every address of a range, in order. */
export function listAddresses(range: AddressRange): readonly string[] {
  return Array.from({ length: rangeLength(range) }, (_, index) =>
    formatAddress(range.first + index),
  );
}

/** Whether every address of the range is in 127.0.0.0/8, which never leaves the machine. */
export function isLoopback(range: AddressRange): boolean {
  return Math.trunc(range.first / 2 ** 24) === 127 && Math.trunc(range.last / 2 ** 24) === 127;
}

/**
 * Every address of the network that an address is in.
 *
 * @throws RangeError when the text is not an address.
 */
export function networkOf(text: string, prefixLength: number): AddressRange {
  const address = parseAddress(text);
  if (address === undefined) {
    throw new RangeError(`not an IPv4 address: ${text}`);
  }
  const length = 2 ** (32 - prefixLength);
  const first = Math.floor(address / length) * length;
  return { first, last: first + length - 1 };
}

/**
 * Reads a dotted IPv4 address.
 *
 * @returns Its 32 bits as a number, or `undefined`. Leading zeros are refused: some readers take `010` for 8.
 */
export function parseAddress(text: string): number | undefined {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet))) {
    return undefined;
  }
  const numbers = octets.map(Number);
  return numbers.every((octet) => octet <= 255)
    ? numbers.reduce((address, octet) => address * 256 + octet, 0)
    : undefined;
}

/** Writes an address as people do. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.trunc(address / 2 ** bits) % 256).join('.');
}
