import { hash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { MeshError } from '../errors.ts'
import { FrameWriter, MAX_PAYLOAD_BYTES } from './frames.ts'
import { type BackupHeader, type BackupPart, type Pair, readBackup, writeBackup } from './index.ts'

const RUNS = LONG ? 100_000 : 2_000

const header: BackupHeader = {
  databaseFormat: 2,
  databaseId: 'd'.repeat(32),
  meshId: 'a'.repeat(32),
  nodeId: 'ceo',
  peerId: '12D3KooW',
  publicKey: 'b'.repeat(64),
  version: '0.1.0',
  createdAt: 1_795_000_000,
  position: 12,
  digest: 'c'.repeat(64),
  counts: { memory: 3, skills: 1, deleted: 1, expired: 0, conflicts: 0 },
  pairs: 27,
}
const seed = Buffer.alloc(32, 7)

async function* inPieces(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function* inBatches(pairs: readonly Pair[], size = 3): AsyncGenerator<readonly Pair[]> {
  for (let at = 0; at < pairs.length; at += size) yield pairs.slice(at, at + size)
}

const made = async (pairs: readonly Pair[], key: Uint8Array | undefined = seed) =>
  Buffer.concat(await Array.fromAsync(writeBackup({ header, seed: key }, inBatches(pairs))))

interface Read {
  readonly header: BackupHeader | undefined
  readonly seed: Uint8Array | undefined
  readonly pairs: readonly Pair[]
}

async function read(bytes: Uint8Array, size?: number): Promise<Read> {
  const parts: BackupPart[] = []
  for await (const part of readBackup(inPieces(bytes, size))) parts.push(part)
  return {
    header: parts.find((part) => part.kind === 'header')?.header,
    seed: parts.find((part) => part.kind === 'key')?.seed,
    pairs: parts.flatMap((part) => (part.kind === 'pairs' ? part.pairs : [])),
  }
}

const codeOf = (bytes: Uint8Array) =>
  read(bytes).then(
    () => 'whole',
    (error: unknown) => (error instanceof MeshError ? error.code : String(error)),
  )

/** Pairs in order of key: small ones, empty ones, one that takes several frames, and what cannot be compressed. */
const somePairs: readonly Pair[] = [
  [Buffer.from('a'), Buffer.alloc(0)],
  [Buffer.from('b'), Buffer.from(Array.from({ length: 140_000 }, (_, i) => i).join())],
  [Buffer.from('c'), randomBytes(MAX_PAYLOAD_BYTES)],
  ...Array.from({ length: 50 }, (_, i): Pair => [Buffer.from(`d${String(i).padStart(3, '0')}`), Buffer.from(`v${i}`)]),
]
/** Small enough for every place of it to be tried. */
const fewPairs = somePairs.filter(([, value]) => value.length < 100).slice(0, 12)

describe('a backup', () => {
  test('gives back what was put into it, in whatever pieces it comes', async () => {
    const bytes = await made(somePairs)
    for (const size of [1_000, 64 * 1024, 10 * 1024 * 1024]) {
      const { pairs, ...rest } = await read(bytes, size)
      expect(rest).toEqual({ header, seed })
      expect(pairs.map(([key, value]) => [Buffer.from(key), Buffer.from(value)])).toEqual(somePairs)
    }
    const size = somePairs.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    expect(size).toBeGreaterThan(4 * MAX_PAYLOAD_BYTES)
    expect(bytes.length).toBeLessThan(0.7 * size)
  })

  test('may have no pairs and no key, and come byte by byte', async () => {
    const bytes = Buffer.concat(await Array.fromAsync(writeBackup({ header, seed: undefined }, inBatches([]))))
    expect(await read(bytes, 1)).toEqual({ header, seed: undefined, pairs: [] })
  })

  test('of any pairs is read as it was written', async () => {
    const keys = fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 40 }), {
      selector: (key) => Buffer.from(key).toString('hex'),
    })
    const values = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 100, maxLength: 100 })
    await fc.assert(
      fc.asyncProperty(keys, values, fc.integer({ min: 1, max: 500 }), async (some, contents, size) => {
        const pairs = some
          .toSorted(Buffer.compare)
          .map((key, i): Pair => [Buffer.from(key), Buffer.from(contents[i % 100] ?? [])])
        const found = await read(await made(pairs), size)
        expect(found.pairs.map(([key, value]) => [Buffer.from(key), Buffer.from(value)])).toEqual(pairs)
      }),
      { numRuns: LONG ? 2_000 : 60 },
    )
  })
})

describe('S-30: what is not whole is refused', () => {
  test('wherever it is cut off', async () => {
    const bytes = await made(fewPairs)
    const codes = new Set<string>()
    for (let length = 0; length < bytes.length; length++) codes.add(await codeOf(bytes.subarray(0, length)))
    expect(codes).toEqual(new Set(['BACKUP_INVALID', 'BACKUP_DAMAGED']))
    expect(await codeOf(bytes)).toBe('whole')
  })

  test('whichever single bit is flipped', async () => {
    const bytes = await made(fewPairs)
    const counts = new Map<string, number>()
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      const code = await codeOf(flipped)
      counts.set(code, (counts.get(code) ?? 0) + 1)
    }
    // Those of the first line; the bits of the version, one of which makes it form 0; and all others.
    expect(Object.fromEntries(counts)).toEqual({
      BACKUP_INVALID: 8 * 21,
      BACKUP_TOO_NEW: 15,
      BACKUP_DAMAGED: 8 * bytes.length - 8 * 21 - 15,
    })
  })

  test('with a frame left out, doubled or swapped, or something behind its end', async () => {
    const pieces = await Array.fromAsync(writeBackup({ header, seed }, inBatches(somePairs)))
    expect(pieces.length).toBeGreaterThan(6)
    const codes: string[] = []
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i] as Uint8Array
      codes.push(await codeOf(Buffer.concat(pieces.toSpliced(i, 1))))
      codes.push(await codeOf(Buffer.concat(pieces.toSpliced(i, 0, piece))))
      if (i > 0)
        codes.push(
          await codeOf(
            Buffer.concat([...pieces.slice(0, i - 1), piece, pieces[i - 1] as Uint8Array, ...pieces.slice(i + 1)]),
          ),
        )
    }
    for (const more of [Buffer.of(0), ...pieces]) codes.push(await codeOf(Buffer.concat([...pieces, more])))
    expect(new Set(codes)).toEqual(new Set(['BACKUP_DAMAGED', 'BACKUP_INVALID']))
  })

  test('where it begins to be damaged: nothing of that part is given', async () => {
    const bytes = await made(somePairs)
    const flipped = Buffer.from(bytes)
    const at = bytes.length >> 1
    flipped[at] = (flipped[at] as number) ^ 1
    const kinds: string[] = []
    const look = async () => {
      for await (const { kind } of readBackup(inPieces(flipped))) kinds.push(kind)
    }
    await expect(look()).rejects.toMatchObject({ message: expect.stringContaining('checksum') })
    const all: string[] = []
    for await (const { kind } of readBackup(inPieces(bytes))) all.push(kind)
    expect(kinds.length).toBeLessThan(all.length)
  })

  test('with a part of another backup in the place of its own', async () => {
    const other = { ...header, meshId: 'e'.repeat(32) }
    const own = await Array.fromAsync(writeBackup({ header, seed }, inBatches(fewPairs)))
    const foreign = await Array.fromAsync(
      writeBackup({ header: other, seed: Buffer.alloc(32, 8) }, inBatches(fewPairs)),
    )
    // The line and the version are the same, and so are the pairs.
    const codes = await Promise.all(own.map((_, i) => codeOf(Buffer.concat(own.with(i, foreign[i] as Uint8Array)))))
    expect(codes).toEqual(['whole', 'BACKUP_DAMAGED', 'BACKUP_DAMAGED', 'whole', 'BACKUP_DAMAGED'])
  })

  test(`${RUNS} times random bytes, with and without the right beginning`, async () => {
    const start = new FrameWriter().begin()
    const codes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, begins) => {
        codes.add(await codeOf(begins ? Buffer.concat([start, bytes]) : bytes))
      }),
      { numRuns: RUNS },
    )
    expect(codes).toEqual(new Set(['BACKUP_INVALID', 'BACKUP_DAMAGED']))
  })

  test('though every frame of it fits its checksum', async () => {
    const ended = (middle: (frames: FrameWriter) => Uint8Array[], pairs = 0) => {
      const frames = new FrameWriter()
      const parts = [frames.begin(), frames.frame('h', Buffer.from(JSON.stringify(header))), ...middle(frames)]
      const end = new FrameWriter().frame('e', Buffer.from(JSON.stringify({ pairs, sha256: frames.digest() })))
      return Buffer.concat([...parts, end])
    }
    const pair = (key: string, announced = 1) => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32BE(key.length)
      bytes.writeUInt32BE(announced, 4)
      return Buffer.concat([bytes, Buffer.from(`${key}v`)])
    }
    expect(await codeOf(ended(() => []))).toBe('whole')
    expect(await codeOf(ended((frames) => [frames.frame('p', pair('a'))], 1))).toBe('whole')
    const refused = [
      ended((frames) => [frames.frame('p', pair('a'))], 2),
      ended((frames) => [frames.frame('p', Buffer.concat([pair('b'), pair('a')]))], 2),
      ended((frames) => [frames.frame('p', Buffer.concat([pair('a'), pair('a')]))], 2),
      ended((frames) => [frames.frame('k', Buffer.alloc(31))]),
      ended((frames) => [frames.frame('p', pair('a')), frames.frame('k', seed)], 1),
      ended((frames) => [frames.frame('h', Buffer.from(JSON.stringify(header)))]),
      ended((frames) => [frames.frame('z', Buffer.from('no zstd'))]),
      ended((frames) => [frames.frame('p', pair('a', 4_000_000_000))], 1),
      Buffer.concat([ended(() => []), new FrameWriter().frame('p', pair('a'))]),
    ]
    const goingOn = Buffer.concat([ended(() => []), new FrameWriter().frame('p', pair('a'))])
    const secondEnd = JSON.stringify({ pairs: 1, sha256: hash('sha256', goingOn, 'hex') })
    refused.push(Buffer.concat([goingOn, new FrameWriter().frame('e', Buffer.from(secondEnd))]))
    for (const bytes of refused) expect(await codeOf(bytes)).toBe('BACKUP_DAMAGED')
    for (const json of ['', 'null', '[]', '{}', '{"counts":1}', JSON.stringify({ ...header, position: '1' })]) {
      const frames = new FrameWriter()
      expect(await codeOf(Buffer.concat([frames.begin(), frames.frame('h', Buffer.from(json))]))).toBe('BACKUP_DAMAGED')
    }
  })

  test('of a newer form, with the way out', async () => {
    const bytes = await made(fewPairs)
    bytes.writeUInt16BE(2, 21)
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'BACKUP_TOO_NEW',
      hint: expect.stringContaining('version'),
    })
  })
})

test('a huge length that is announced takes no memory', async () => {
  const frames = new FrameWriter()
  const start = Buffer.concat([frames.begin(), frames.frame('h', Buffer.from(JSON.stringify(header)))])
  const before = process.memoryUsage.rss()
  const head = Buffer.from('p\xff\xff\xff\xff\0\0\0\0', 'latin1')
  expect(await codeOf(Buffer.concat([start, head, Buffer.alloc(1_000)]))).toBe('BACKUP_DAMAGED')
  const pair = Buffer.from('\0\0\0\x01\xff\xff\xff\xffa', 'latin1')
  for (let i = 0; i < 100; i++) {
    expect(await codeOf(Buffer.concat([start, frames.frame('p', pair)]))).toBe('BACKUP_DAMAGED')
  }
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024)
})

test('where it cannot be gone on with, it says why to whoever reads it, and to whoever makes it', async () => {
  const failing = async function* (): AsyncGenerator<readonly Pair[]> {
    yield fewPairs
    throw new MeshError('STORAGE_CORRUPT', 'the value at "emmesh" is damaged', { hint: 'see `mesh doctor`' })
  }
  const pieces: Uint8Array[] = []
  const make = async () => {
    for await (const piece of writeBackup({ header, seed }, failing())) pieces.push(piece)
  }
  const damage = { code: 'STORAGE_CORRUPT', message: 'the value at "emmesh" is damaged', hint: 'see `mesh doctor`' }
  await expect(make()).rejects.toMatchObject(damage)
  await expect(read(Buffer.concat(pieces))).rejects.toMatchObject(damage)
})

test('whoever stops reading ends the source', async () => {
  let ended = false
  const bytes = await made(somePairs)
  const source = async function* () {
    try {
      yield* inPieces(bytes, 1_000)
    } finally {
      ended = true
    }
  }
  for await (const part of readBackup(source())) if (part.kind === 'key') break
  expect(ended).toBe(true)
})
