import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { type EntryId, MESH_SCOPE } from '../../crdt/entry/index.ts'
import { entryKey } from '../../crdt/replica/keys.ts'
import { type Home, makeHome, OTHER_SECRET, openAudit, SECRET, type Trial } from './secrets-suite.ts'

/** A home in which something was stored while the guard was off. */
async function homeWith(...secrets: readonly string[]): Promise<Home> {
  const home = await makeHome()
  for (const [i, secret] of secrets.entries()) await home.put(`ci/${i}`, { env: { note: secret } })
  return home
}

async function begin(home: Home, init: Parameters<typeof openAudit>[1] = {}): Promise<Trial> {
  const trial = openAudit(await home.reopen(init.allowed ?? []), init)
  trial.audit.start()
  return trial
}

const memory = (key: string): EntryId => ({ kind: 'memory', scope: MESH_SCOPE, key })
const skill = (key: string): EntryId => ({ kind: 'skill', scope: MESH_SCOPE, key })

const fingerprintIn = (text: string | undefined) => /[0-9a-f]{20}/.exec(text ?? '')?.[0] ?? ''

describe('S-24: a secret that was stored while the guard was off', () => {
  test('is found at the next start with the guard on: entry, place, rule and fingerprint are named, never the text', async () => {
    const home = await homeWith(SECRET)
    await home.putSkill('deploy', `# Deploy\n\nuse ${SECRET}\n`)
    await home.put(`k-${SECRET}`, 1, 'federation')
    await home.put('own', SECRET, 'node')
    await home.put('fine', { plan: 'ship' })
    const { told, lines } = await begin(home)
    const finding = await told()
    expect(finding).toMatchObject({ checkId: 'secrets.stored', severity: 'warning' })
    expect(finding?.fixHint).toMatch(/change each credential where it was issued.*secrets\.allow/)
    expect(finding?.message).toMatch(/^3 entries that others read hold what looks like a secret/)
    expect(finding?.message).toMatch(/memory "ci\/0" in mesh \(value\/env\/note: github-token, [0-9a-f]{20}\)/)
    expect(finding?.message).toMatch(/skill "deploy" in mesh \(content, line 3: github-token, [0-9a-f]{20}\)/)
    expect(finding?.message).toMatch(/a memory in federation \(key: github-token, [0-9a-f]{20}\)/)
    expect(lines.find(({ checkId }) => checkId === 'secrets.stored')).toMatchObject({ entries: 3 })
    expect(JSON.stringify([finding, lines])).not.toContain(SECRET.slice(4, 12))
  })

  test('is told by the fingerprint that a refusal gives, and not told any more once that is on the list', async () => {
    const home = await homeWith(SECRET, OTHER_SECRET)
    const first = await begin(home)
    const fingerprint = fingerprintIn((await first.told())?.message)
    await expect(home.put('again', SECRET)).rejects.toMatchObject({ hint: expect.stringContaining(fingerprint) })
    await first.audit.stop()

    const { told, read } = await begin(home, { allowed: [fingerprint] })
    expect((await told())?.message).toMatch(/^1 entry .*ci\/1/)
    expect(new Set(read)).toEqual(new Set(['ci/0', 'ci/1']))
  })

  test('is not told any more when it was deleted or overwritten, also by another than who asks', async () => {
    const home = await homeWith(SECRET, SECRET, SECRET)
    const { told, audit } = await begin(home)
    expect((await told())?.message).toMatch(/^3 entries/)
    await home.remove('memory', 'ci/0')
    expect((await told())?.message).toMatch(/^2 entries.*ci\/1.*ci\/2/)
    await home.put('ci/1', { env: { note: 'in scope node' } })
    expect((await told())?.message).toMatch(/^1 entry .*ci\/2/)
    await home.remove('memory', 'ci/2')
    expect(await told()).toBeUndefined()
    await audit.stop()
    const again = await begin(home)
    expect(await again.told()).toBeUndefined()
  })

  test('is not told any more when its time is over, nor while it is away', async () => {
    const clock = { now: 1_800_000_000_000 }
    const home = await makeHome(() => clock.now)
    await home.store().putMemory({
      scope: MESH_SCOPE,
      key: 'short',
      value: SECRET,
      nodeId: 'ceo',
      expiresAt: clock.now / 1000 + 60,
    })
    await home.put('long', SECRET)
    const first = await begin(home)
    expect((await first.told())?.message).toMatch(/^2 entries/)
    await first.audit.stop()
    clock.now += 61_000
    const { told } = await begin(home)
    // Nothing says that it is over but the store's own commit, which comes by itself.
    await expect.poll(async () => (await told())?.message).toMatch(/^1 entry .*"long"/)
  })

  test('is not told where it was overwritten while it was being read', async () => {
    const home = await homeWith(SECRET, 'fine')
    const { told } = await begin(home, {
      async onRead(key) {
        if (key === 'ci/1') await home.remove('memory', 'ci/0')
      },
    })
    expect(await told()).toBeUndefined()
  })

  test('is found in a value that is in conflict and not shown, until the conflict is ended', async () => {
    const [ceo, sec] = [await makeHome(), await makeHome(undefined, 'sec')]
    const [first, other] = [{ ci: { note: 'fine', password: 'see the vault' } }, { ci: { note: SECRET } }]
    for (const key of ['a', 'b']) {
      // Which of the two is shown is for the documents to say.
      await ceo.put(key, key === 'a' ? first : other)
      await sec.put(key, key === 'a' ? other : first)
    }
    await ceo.putSkill('deploy', '# One\n')
    await sec.putSkill('deploy', `# Two ${OTHER_SECRET}\n`)
    await ceo.hear(sec)
    const { told } = await begin(ceo)
    const message = (await told())?.message
    expect(message).toMatch(/^3 entries/)
    const hidden = message?.match(/\w+ "\w+" in mesh \([^)]*, in conflict, not shown: github-token/g) ?? []
    expect(hidden.length).toBeGreaterThan(0)
    for (const place of hidden) expect(place).toMatch(/\(value\/ci\/note,|\(content,/)
    for (const id of [memory('a'), memory('b'), skill('deploy')]) {
      const places = await ceo.store().conflicts(id)
      await ceo.store().resolve(
        id,
        places.map(({ path }) => ({ path, value: 'ended' })),
        'ceo',
      )
    }
    expect(await told()).toBeUndefined()
  })

  test('five are named, the others counted', async () => {
    const home = await homeWith(...Array.from({ length: 8 }, () => SECRET))
    const { told } = await begin(home)
    const message = (await told())?.message
    expect(message).toMatch(/^8 entries .*; and 3 more$/)
    expect(message?.match(/in mesh/g)).toHaveLength(5)
  })

  test('of very many it says so, and goes on when some are mended', async () => {
    const home = await makeHome()
    const many = 1_010
    await Promise.all(Array.from({ length: many }, (_, i) => home.put(`ci/${String(i).padStart(4, '0')}`, SECRET)))
    const { audit, over } = await begin(home)
    const message = async () => (await audit.findings()).map((finding) => finding.message)
    await expect.poll(message, { timeout: 15_000 }).toEqual([expect.stringMatching(/^at least 1000 entries/)])
    for (let i = 0; i < 20; i++) await home.remove('memory', `ci/${String(i).padStart(4, '0')}`)
    await over
    expect(await message()).toEqual([expect.stringMatching(/^990 entries/)])
  })
})

describe('what has been looked at', () => {
  test('is not looked at again at the next start, nor what the guard has let in since', async () => {
    const home = await homeWith(SECRET, 'fine')
    const first = await begin(home)
    await first.over
    await home.put('later', 1)
    await first.audit.stop()
    const { told, read } = await begin(home)
    expect((await told())?.message).toMatch(/^1 entry/)
    expect(read).toEqual([])
  })

  test('is looked at again after another release, whose rules may be others', async () => {
    const home = await homeWith('fine', 'fine')
    const first = await begin(home)
    await first.over
    await first.audit.stop()
    const { over, read } = await begin(home, { version: '1.1.0' })
    await over
    expect(read).toEqual(['ci/0', 'ci/1'])
  })

  test('what was written while the guard was off for a time is all that is looked at', async () => {
    const home = await homeWith('fine', SECRET)
    const first = await begin(home)
    await first.over
    await first.audit.stop()
    await home.reopen()
    await home.put('ci/0', SECRET)
    await home.put('ci/1', 'fine')
    await home.put('new', SECRET)
    const { told, read } = await begin(home)
    expect((await told())?.message).toMatch(/^2 entries .*ci\/0.*new/)
    expect(new Set(read)).toEqual(new Set(['ci/0', 'ci/1', 'new']))
  })

  test('is kept when it is stopped in the middle: the next start goes on from there', async () => {
    const home = await homeWith(SECRET, 'fine', 'fine', SECRET, 'fine')
    await home.putSkill('deploy', SECRET)
    const first: Trial = openAudit(await home.reopen([]), {
      onRead: (key) => void (key === 'ci/2' && first.audit.stop()),
    })
    first.audit.start()
    await expect.poll(() => first.read).toContain('ci/2')
    await first.audit.stop()
    expect(first.read).not.toContain('ci/3')

    const { told, read } = await begin(home)
    expect((await told())?.message).toMatch(/^3 entries .*ci\/0.*ci\/3.*deploy/)
    expect(new Set(read)).toEqual(new Set(['ci/3', 'ci/4', 'deploy']))
  })

  test('is looked at again where the daemon died before it was written down', async () => {
    const home = await homeWith(SECRET, 'fine', SECRET)
    const rest = Promise.withResolvers<void>()
    const first = await begin(home, { onRead: (key) => (key === 'ci/2' ? rest.promise : undefined) })
    await expect.poll(() => first.read).toContain('ci/1')
    // The database is closed beneath it: nothing more can be kept.
    const { told, read } = await begin(home)
    expect((await told())?.message).toMatch(/^2 entries .*ci\/0.*ci\/2/)
    expect(read).toContain('ci/1')
    rest.resolve()
  })

  test('is said as long as it is not everything', async () => {
    const home = await homeWith('fine', SECRET, 'fine')
    const half = Promise.withResolvers<void>()
    const { audit, over, told } = await begin(home, { onRead: (key) => (key === 'ci/2' ? half.promise : undefined) })
    await expect
      .poll(async () => (await audit.findings()).map(({ checkId }) => checkId))
      .toEqual(['secrets.stored', 'secrets.checking'])
    expect((await audit.findings())[1]).toMatchObject({
      severity: 'info',
      message: expect.stringContaining('2 entries'),
    })
    half.resolve()
    await over
    expect(await told()).toMatchObject({ checkId: 'secrets.stored' })
  })
})

test('S-03: an entry that is damaged keeps no other from being looked at', async () => {
  const home = await homeWith('fine', SECRET, SECRET)
  await home.store().close()
  const level = new Level<Uint8Array, Uint8Array>(home.path, { keyEncoding: 'view', valueEncoding: 'view' })
  const key = entryKey(memory('ci/1'))
  await level.put(key, Buffer.from('no record'))
  await level.close()
  const { told } = await begin(home)
  expect((await told())?.message).toMatch(/^1 entry .*ci\/2/)
})

test('where nothing is stored nothing is said', async () => {
  const { told, lines } = await begin(await makeHome())
  expect(await told()).toBeUndefined()
  expect(lines.map(({ entries }) => entries)).toEqual([0])
})
