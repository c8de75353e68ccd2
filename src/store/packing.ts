/** Bytes as they lie in the file: a checksum and the deflated rest. */

import { constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { DamagedJournalError } from './problems.ts';

const CHECKSUM_BYTES = 4;
/** Nothing that is kept comes near; a damaged length must not fill the memory. */
const LONGEST_BYTES = 64 * 2 ** 20;

/** @param base - What most of it can be copied from; the same is needed to unpack it. */
export function pack(bytes: Uint8Array, base?: Uint8Array): Uint8Array {
  const options = { level: constants.Z_BEST_COMPRESSION };
  const deflated = deflateRawSync(
    bytes,
    base === undefined ? options : { ...options, dictionary: base },
  );
  const packed = new Uint8Array(CHECKSUM_BYTES + deflated.length);
  new DataView(packed.buffer).setUint32(0, crc32(bytes));
  packed.set(deflated, CHECKSUM_BYTES);
  return packed;
}

/** @throws DamagedJournalError when these are not the bytes that were packed. */
export function unpack(packed: Uint8Array, base?: Uint8Array): Uint8Array {
  try {
    const options = { maxOutputLength: LONGEST_BYTES };
    const bytes = inflateRawSync(
      packed.subarray(CHECKSUM_BYTES),
      base === undefined ? options : { ...options, dictionary: base },
    );
    const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    if (view.getUint32(0) === crc32(bytes)) {
      return bytes;
    }
  } catch (cause) {
    throw new DamagedJournalError('an entry cannot be unpacked', { cause });
  }
  throw new DamagedJournalError('an entry is not what was written');
}
