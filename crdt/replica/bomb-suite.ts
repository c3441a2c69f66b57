/** Encoded changes whose few bytes become many operations, or many bytes, when they are opened. */

import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'

const MAGIC = Buffer.from('856f4a83', 'hex')
const PLAIN = 1
const DEFLATED = 2

/** Columns of a change's operations, as Automerge's binary format numbers them. */
const COLUMN = {
  objActor: 1,
  objCounter: 2,
  keyActor: 17,
  keyCounter: 19,
  keyText: 21,
  insert: 52,
  action: 66,
  valueMeta: 86,
  predCount: 112,
} as const
const MAKE_TEXT = 4
const SET = 1

export interface Bomb {
  /** Hex. */
  readonly hash: string
  readonly change: Uint8Array
}

/**
 * A change that inserts `count` empty elements into a new text: every column says "the same again", so that it stays
 * below 200 bytes whatever the count is. Automerge needs some 400 bytes for each.
 */
export function operationBomb(base: string, count: number): Bomb {
  const columns: readonly (readonly [number, readonly number[]])[] = [
    [COLUMN.objActor, [...nulls(1), ...run(count, unsigned(0))]],
    [COLUMN.objCounter, [...nulls(1), ...run(count, unsigned(1))]],
    [COLUMN.keyActor, [...nulls(2), ...run(count - 1, unsigned(0))]],
    [COLUMN.keyCounter, [...nulls(1), ...signed(-2), ...signed(0), ...signed(2), ...run(count - 2, signed(1))]],
    [COLUMN.keyText, [...run(1, text('content')), ...nulls(count)]],
    [COLUMN.insert, [...unsigned(1), ...unsigned(count)]],
    [COLUMN.action, [...run(1, unsigned(MAKE_TEXT)), ...run(count, unsigned(SET))]],
    [COLUMN.valueMeta, run(count + 1, unsigned(0))],
    [COLUMN.predCount, run(count + 1, unsigned(0))],
  ]
  const actor = Buffer.alloc(16, 0x5e)
  const [sequence, firstOperation, time] = [unsigned(1), unsigned(1), signed(1_000)]
  const contents = Buffer.from([
    ...[...unsigned(1), ...Buffer.from(base, 'hex')],
    ...[...unsigned(actor.length), ...actor, ...sequence, ...firstOperation, ...time, ...text('sec')],
    ...unsigned(0),
    ...[
      ...unsigned(columns.length),
      ...columns.flatMap(([column, bytes]) => [...unsigned(column), ...unsigned(bytes.length)]),
    ],
    ...columns.flatMap(([, bytes]) => bytes),
  ])
  const chunk = Buffer.concat([Buffer.of(PLAIN, ...unsigned(contents.length)), contents])
  const hash = createHash('sha256').update(chunk).digest()
  return { hash: hash.toString('hex'), change: Buffer.concat([MAGIC, hash.subarray(0, 4), chunk]) }
}

/** A deflated change that says nothing, at length. */
export function deflateBomb(bytes: number): Bomb {
  const deflated = deflateRawSync(Buffer.alloc(bytes))
  const hash = Buffer.alloc(32, 0xab)
  const head = Buffer.of(DEFLATED, ...unsigned(deflated.length))
  return { hash: hash.toString('hex'), change: Buffer.concat([MAGIC, hash.subarray(0, 4), head, deflated]) }
}

const run = (count: number, value: readonly number[]) => [...signed(count === 1 ? -1 : count), ...value]
const nulls = (count: number) => [0, ...unsigned(count)]
const text = (value: string) => [...unsigned(Buffer.byteLength(value)), ...Buffer.from(value)]

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...unsigned(Math.floor(value / 128))]
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)]
}
