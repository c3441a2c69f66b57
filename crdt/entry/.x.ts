import { newHandle } from './automerge.ts'
import { EntryDocument, firstChange, inspectChange, isFirstChange, MESH_SCOPE } from './index.ts'

const mem = { kind: 'memory', scope: MESH_SCOPE, key: 'k' } as const
const sk = { kind: 'skill', scope: MESH_SCOPE, key: 's' } as const
const act = (n: number) => n.toString(16).padStart(32, '0')
const by = (nodeId: string, at: number) => ({ nodeId, at })
const tryit = (l: string, f: () => any) => {
  try {
    console.log(l, '=>', JSON.stringify(f()))
  } catch (e: any) {
    console.log(l, 'THROWS', e?.name, e?.code, String(e?.message ?? e).slice(0, 150))
  }
}
const sync = (a: EntryDocument, b: EntryDocument) => {
  const x = a.changesSince([]),
    y = b.changesSince([])
  b.apply(x)
  a.apply(y)
}
// 1 all members removed concurrently
{
  const a = EntryDocument.create(mem, act(1)),
    b = EntryDocument.create(mem, act(2))
  a.put({ kind: 'memory', value: { a: 1, b: 2 } }, by('a', 1))
  sync(a, b)
  a.put({ kind: 'memory', value: { a: 1 } }, by('a', 2))
  b.put({ kind: 'memory', value: { b: 2 } }, by('b', 2))
  sync(a, b)
  tryit('concurrent removal of all', () => a.view().row)
}
// 2 foreign weird paths
{
  const h = newHandle(act(9))
  h.put('_root', '/a~2b/c', 1, 'int')
  h.put('_root', '/a~02b', 2, 'int')
  h.put('_root', 'live', 1, 'int')
  h.commit('x', 1)
  tryit('weird path', () => EntryDocument.load(mem, h.save(), act(3)).view().row)
}
{
  const h = newHandle(act(9))
  h.put('_root', '/a', new TextEncoder().encode('['.repeat(200000) + ']'.repeat(200000)), 'bytes')
  h.put('_root', 'live', 1, 'int')
  h.commit('x', 1)
  tryit('deep', () => EntryDocument.load(mem, h.save(), act(3)).view().row)
}
{
  const h = newHandle(act(9))
  h.put('_root', '/a'.repeat(20000), 1, 'int')
  h.put('_root', 'live', 1, 'int')
  h.commit('x', 1)
  const t = performance.now()
  tryit('deep path', () => JSON.stringify(EntryDocument.load(mem, h.save(), act(3)).view().row).length)
  console.log(performance.now() - t)
}
// 3 load garbage
tryit('load garbage', () => EntryDocument.load(mem, new Uint8Array([1, 2, 3]), act(1)).heads)
tryit('load empty', () => EntryDocument.load(mem, new Uint8Array([]), act(1)).heads)
{
  const a = EntryDocument.create(mem, act(1))
  a.put({ kind: 'memory', value: { a: 'x'.repeat(500) } }, by('a', 1))
  const s = a.save()
  tryit('load truncated', () => EntryDocument.load(mem, s.subarray(0, s.length - 5), act(2)).heads)
  tryit('load trailing', () => EntryDocument.load(mem, Buffer.concat([s, Buffer.from([1, 2, 3])]), act(2)).heads)
  tryit('load trailing2', () => EntryDocument.load(mem, Buffer.concat([s, s.subarray(0, 50)]), act(2)).heads)
  const f = s.slice()
  f[f.length - 3] ^= 1
  tryit('load flipped', () => EntryDocument.load(mem, f, act(2)).heads)
  a.put({ kind: 'memory', value: { a: 2 } }, by('a', 2))
  const ch = a.changesSince([])
  tryit('load missing deps', () => EntryDocument.load(mem, ch[2]!, act(2)).view())
  tryit('apply garbage', () => EntryDocument.create(mem, act(4)).apply([new Uint8Array([1, 2, 3])]))
  tryit('apply doc chunk', () => {
    const d = EntryDocument.create(mem, act(4))
    d.apply([s])
    return d.heads
  })
  tryit('apply two in one', () => {
    const d = EntryDocument.create(mem, act(4))
    d.apply([Buffer.concat(ch)])
    return d.heads
  })
  tryit('apply incomplete', () => EntryDocument.create(mem, act(4)).apply([ch[2]!]))
  tryit('inspect doc', () => inspectChange(s))
  tryit('inspect trailing', () => inspectChange(Buffer.concat([ch[0]!, ch[1]!])).hash)
  tryit('inspect0', () => inspectChange(ch[0]!))
}
// 4 skill two texts
{
  const a = EntryDocument.create(sk, act(1)),
    b = EntryDocument.create(sk, act(2))
  a.put({ kind: 'skill', content: 'X\n', path: '/a' }, by('a', 1))
  b.put({ kind: 'skill', content: 'X\n', path: '/b' }, by('b', 2))
  sync(a, b)
  tryit('same text, other path', () => [a.view(), a.conflicts()])
  a.put({ kind: 'skill', content: 'X2\n', path: '/a' }, by('a', 3))
  tryit(' after a sequential edit', () => [a.view().row, a.conflicts()])
}
{
  const a = EntryDocument.create(sk, act(1)),
    b = EntryDocument.create(sk, act(2))
  a.put({ kind: 'skill', content: 'X\n' }, by('a', 1))
  b.put({ kind: 'skill', content: 'Y\n' }, by('b', 2))
  sync(a, b)
  tryit('two texts', () => a.conflicts())
  a.put({ kind: 'skill', content: 'Z\n' }, by('a', 3))
  tryit(' after resolving put', () => [a.view().row, a.conflicts()])
  console.log(a.history())
}
// 5 derived undefined
{
  const a = EntryDocument.create(sk, act(1)),
    b = EntryDocument.create(sk, act(2))
  a.putDerived({ kind: 'skill', content: 'X\n' }, by('a', 1))
  b.putDerived({ kind: 'skill', content: 'X\n', path: undefined }, by('a', 1))
  console.log('derived eq', a.heads, b.heads)
}
// 6 times
for (const at of [2 ** 53, 2 ** 60, 1e300, -5, 1.7, NaN]) {
  const a = EntryDocument.create(mem, act(1))
  tryit('time ' + at, () => {
    a.put({ kind: 'memory', value: 1 }, by('a', at))
    a.put({ kind: 'memory', value: 2 }, by('a', 1))
    return [a.view().updatedAt, a.history().map((h) => h.at)]
  })
}
// foreign time backwards
{
  const a = EntryDocument.create(mem, act(1))
  a.put({ kind: 'memory', value: 1 }, by('a', 1000))
  const h = newHandle(act(7))
  h.loadIncremental(a.save())
  h.put('_root', '', 2, 'int')
  h.put('_root', 'live', 2, 'int')
  h.commit('x', 5)
  a.apply(h.getChanges([]))
  tryit('foreign backwards', () => a.view().updatedAt)
}
{
  const a = EntryDocument.create(mem, act(1))
  a.put({ kind: 'memory', value: 1 }, by('a', 1000))
  const h = newHandle(act(7))
  h.loadIncremental(a.save())
  h.put('_root', '', 2, 'int')
  h.put('_root', 'live', 2, 'int')
  h.commit('x', 1e19)
  a.apply(h.getChanges([]))
  tryit('foreign huge', () => a.view().updatedAt)
  tryit('then put', () => {
    a.put({ kind: 'memory', value: 3 }, by('a', 1001))
    return a.view().updatedAt
  })
}
// 7 resolve conflict by shown value
{
  const a = EntryDocument.create(mem, act(1)),
    b = EntryDocument.create(mem, act(2))
  a.put({ kind: 'memory', value: { k: 1 } }, by('a', 1))
  b.put({ kind: 'memory', value: { k: 2 } }, by('b', 2))
  sync(a, b)
  const v = (a.view().row as any).value
  a.put({ kind: 'memory', value: v }, by('a', 3))
  tryit('put shown', () => [v, a.conflicts()])
}
// 8 amplification
for (const [k, n] of [
  [2000, 1000],
  [20000, 2000],
  [20000, 8000],
]) {
  const value = { ['x'.repeat(k!)]: Object.fromEntries(Array.from({ length: n! }, (_, i) => ['m' + i, i])) }
  const t = performance.now()
  const m = process.memoryUsage().rss
  const a = EntryDocument.create(mem, act(1))
  tryit(`ampl key ${k} x ${n}: json ${JSON.stringify(value).length}`, () => {
    a.put({ kind: 'memory', value }, by('a', 1))
    return a.save().length
  })
  console.log((performance.now() - t).toFixed(0), 'ms rss +MB', ((process.memoryUsage().rss - m) / 1e6).toFixed(0))
  tryit('view', () => JSON.stringify(a.view().row).length)
}
