/** Numbers as people read them: no needless decimals, and none missing where two of them are compared. */

/** `1 node`, `4 nodes`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** `is` or `are`, `needs` or `need`. */
export function agree(count: number, singular: string, plural: string): string {
  return count === 1 ? singular : plural;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** More decimals than these are noise, also where two numbers differ by less. */
const MOST_DECIMALS = 6;

/** `431`, `14.3`, `2.05`: about three digits, without zeros at the end. */
export function inDigits(value: number): string {
  const size = Math.abs(value);
  return withDecimals(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Needs and rates are quotients: what differs by no more is the same. */
const ROUNDING = 1e-9;

/**
 * Two numbers that are compared: with as many decimals as it takes to tell them apart, so that nobody reads
 * that 4 is more than 4. The first may come out as `just over 4`.
 */
export function inDigitsApart(one: number, other: number): readonly [string, string] {
  let texts: readonly [string, string] = [inDigits(one), inDigits(other)];
  if (Math.abs(one - other) <= ROUNDING) {
    return texts;
  }
  for (let decimals = 1; texts[0] === texts[1] && decimals <= MOST_DECIMALS; decimals += 1) {
    texts = [withDecimals(one, decimals), withDecimals(other, decimals)];
  }
  const [text, otherText] = texts;
  return text === otherText ? [`just ${one > other ? 'over' : 'under'} ${text}`, text] : texts;
}

/** A rate beside one that is exact with so many decimals: with more of them where it would read the same. */
export function inDigitsBeside(value: number, exact: number, decimals: number): string {
  const other = withDecimals(exact, decimals);
  let text = withDecimals(value, decimals);
  for (let more = decimals + 1; text === other && more <= MOST_DECIMALS; more += 1) {
    text = withDecimals(value, more);
  }
  return text;
}

/** A fractional need, told apart from whole nodes: `4`, `5.39`, `4.0001`, `just over 4`. */
export function inNodes(needNodes: number): string {
  return inDigitsApart(needNodes, Math.round(needNodes))[0];
}

/** Rounded to so many decimals, without zeros at the end. */
export function withDecimals(value: number, decimals: number): string {
  const fixed = value.toFixed(decimals);
  return decimals === 0 ? fixed : fixed.replace(/\.?0+$/, '');
}

/** `250 ms`, `30 s`, `5 min`, `2 h`: in the unit that people would use. */
export function inTime(spanMs: number): string {
  if (spanMs < 1_000) {
    return `${Math.round(spanMs)} ms`;
  }
  if (spanMs % 3_600_000 === 0) {
    return `${spanMs / 3_600_000} h`;
  }
  if (spanMs >= 600_000 || (spanMs >= 120_000 && spanMs % 60_000 === 0)) {
    return `${inDigits(spanMs / 60_000)} min`;
  }
  return `${inDigits(spanMs / 1_000)} s`;
}

/** A share: `5 %`, `12.5 %`. */
export function inPercent(share: number): string {
  return `${inDigits(share * 100)} %`;
}

/** A clause as a sentence begins. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
