import { promisify } from 'node:util'
import { constants, zstdDecompress } from 'node:zlib'
import { MeshError } from '../errors.ts'
import { damaged, type Frame, MAX_PAYLOAD_BYTES, readFrames, WINDOW_LOG } from './frames.ts'
import { type BackupHeader, decodeHeader, decodeJson } from './header.ts'
import { PAIR_HEAD_BYTES, type Pair } from './writer.ts'

const decompress = promisify(zstdDecompress)
const LIMITS = {
  maxOutputLength: MAX_PAYLOAD_BYTES,
  chunkSize: MAX_PAYLOAD_BYTES,
  params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
}

const SEED_BYTES = 32
/** Longest key; those of the database are far shorter. */
const MAX_KEY_BYTES = 64 * 1024

/** What comes out of a backup: the header first, the key where it is in it, then pairs, some at a time, in order of key. */
export type BackupPart =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  | { readonly kind: 'key'; readonly seed: Uint8Array }
  | { readonly kind: 'pairs'; readonly pairs: readonly Pair[] }

/**
 * Reads a backup from pieces of any size. Each part was checked by itself; that the backup is whole is known only when
 * this has ended without an error, and nothing that it gave may take effect before.
 *
 * @throws {MeshError} `BACKUP_INVALID` for what is no backup, `BACKUP_TOO_NEW`, `BACKUP_DAMAGED`; the error that ended the
 * making of it; and what the source throws
 */
export async function* readBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupPart> {
  const parser = new PairParser()
  let expects: 'header' | 'key' | 'pairs' | 'nothing' = 'header'
  for await (const { type, payload, digestBefore } of readFrames(source)) {
    if (expects === 'nothing') throw damaged('something stands behind its end')
    if ((expects === 'header') !== (type === 'h')) throw damaged('its header is not where it belongs')
    if (type === 'k' && expects !== 'key') throw damaged('its key is not where it belongs')
    switch (type) {
      case 'h':
        // Or anything else: it may have been left out.
        expects = 'key'
        yield { kind: 'header', header: decodeHeader(payload) }
        break
      case 'k':
        expects = 'pairs'
        if (payload.length !== SEED_BYTES) throw damaged('its key is none')
        yield { kind: 'key', seed: payload }
        break
      case 'p':
      case 'z': {
        expects = 'pairs'
        const pairs = parser.take(await unpacked({ type, payload }))
        if (pairs.length > 0) yield { kind: 'pairs', pairs }
        break
      }
      case 'x':
        throw failureIn(payload)
      case 'e':
        expects = 'nothing'
        checkEnd(decodeJson(payload), digestBefore(), parser)
        break
    }
  }
  if (expects !== 'nothing') throw damaged('its end is missing')
}

function checkEnd(end: Record<string, unknown>, digest: string, parser: PairParser): void {
  if (end['sha256'] !== digest) throw damaged('it does not fit its checksum')
  if (end['pairs'] !== parser.count || !parser.isWhole) throw damaged('not as much is in it as its end says')
}

/** What ended the making of a backup. */
function failureIn(payload: Uint8Array): MeshError {
  const { code, message, hint } = decodeJson(payload)
  if (typeof code !== 'string' || typeof message !== 'string') return damaged('it says that it could not be made')
  return new MeshError(code, message, typeof hint === 'string' ? { hint } : {})
}

async function unpacked({ type, payload }: Frame): Promise<Uint8Array> {
  if (type === 'p') return payload
  try {
    return await decompress(payload, LIMITS)
  } catch (cause) {
    throw damaged('a part of it cannot be unpacked', cause)
  }
}

/** Takes pairs from blocks in which they stand in a row, and go on from one to the next. */
class PairParser {
  #waiting: Uint8Array[] = []
  #length = 0
  #needed = PAIR_HEAD_BYTES
  #last: Uint8Array | undefined
  /** Pairs so far. */
  count = 0

  /** Whether no pair was begun and not ended. */
  get isWhole(): boolean {
    return this.#length === 0
  }

  /** The pairs that end in this block. Of one that goes on nothing is gathered but what has come. */
  take(block: Uint8Array): Pair[] {
    this.#waiting.push(block)
    this.#length += block.length
    const pairs: Pair[] = []
    if (this.#length < this.#needed) return pairs
    const bytes = this.#waiting.length === 1 ? block : Buffer.concat(this.#waiting)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    for (this.#needed = PAIR_HEAD_BYTES; bytes.length - at >= this.#needed; this.#needed = PAIR_HEAD_BYTES) {
      const keyEnd = PAIR_HEAD_BYTES + view.getUint32(at)
      this.#needed = keyEnd + view.getUint32(at + 4)
      if (keyEnd > PAIR_HEAD_BYTES + MAX_KEY_BYTES) throw damaged('a key in it is too long')
      if (bytes.length - at < this.#needed) break
      pairs.push(
        this.#next(bytes.subarray(at + PAIR_HEAD_BYTES, at + keyEnd), bytes.subarray(at + keyEnd, at + this.#needed)),
      )
      at += this.#needed
    }
    this.#waiting = at < bytes.length ? [bytes.subarray(at)] : []
    this.#length = bytes.length - at
    return pairs
  }

  #next(key: Uint8Array, value: Uint8Array): Pair {
    if (this.#last !== undefined && Buffer.compare(this.#last, key) >= 0) throw damaged('its keys are not in order')
    this.#last = key
    this.count++
    return [key, value]
  }
}
