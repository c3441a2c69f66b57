import { MeshError } from '../errors.ts'

/** One of Automerge's chunks, in which documents and changes are saved and sent. */
export interface Chunk {
  readonly kind: 'document' | 'change'
  /** With its header. */
  readonly bytes: Uint8Array
}

// Automerge's binary format: 4 magic bytes, 4 of checksum, a type, the length of the contents in LEB128, the contents.
const MAGIC = [0x85, 0x6f, 0x4a, 0x83] as const
const TYPE_AT = 8
/** Deflated changes, and bundles of them, nobody here writes: what is not needed is not opened. */
const KINDS = ['document', 'change'] as const

/**
 * Takes runs of chunks apart: Automerge itself passes over what it cannot read behind the first. Looks at headers
 * alone; whether the contents are sound shows when they are loaded.
 * @throws {MeshError} `CHANGE_MALFORMED` unless it is whole chunks, of which only the first may be a document
 */
export function readChunks(runs: readonly Uint8Array[]): Chunk[] {
  const chunks: Chunk[] = []
  for (const run of runs) {
    for (let at = 0; at === 0 || at < run.length; ) {
      const kind = KINDS[run[at + TYPE_AT] as number]
      const end = MAGIC.every((byte, i) => run[at + i] === byte) ? endOf(run, at) : undefined
      if (kind === undefined || end === undefined || end > run.length || (kind === 'document' && chunks.length > 0)) {
        throw new MeshError('CHANGE_MALFORMED', `no Automerge document or change at byte ${at} of ${run.length}`)
      }
      chunks.push({ kind, bytes: run.subarray(at, end) })
      at = end
    }
  }
  return chunks
}

/** Where the chunk that begins at `start` ends; undefined where its length is none. */
function endOf(run: Uint8Array, start: number): number | undefined {
  let length = 0
  let scale = 1
  // Five digits hold more than any run has bytes.
  for (let at = start + TYPE_AT + 1; at < start + TYPE_AT + 6; at++, scale *= 128) {
    const byte = run[at]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * scale
    if (byte < 0x80) return at + 1 + length
  }
  return undefined
}
