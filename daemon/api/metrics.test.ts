import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, openLab, put } from './lab-suite.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
})
afterAll(() => lab.close())

const scrape = async () => (await lab.local('/metrics')).text

/** The value of a metric with these labels, in whatever order they stand. */
function metricOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const line = text.split('\n').find((one) => {
    const [, found, inside = ''] = /^(\w+)(?:\{(.*)\})? /.exec(one) ?? []
    return found === name && wanted.every((label) => inside.includes(label))
  })
  return line === undefined ? undefined : Number(line.split(' ').at(-1))
}

test('requests are counted by route and status, errors by code, durations in buckets', async () => {
  const before = await scrape()
  const route = 'GET /mesh/memory/:scope/*'
  await lab.local('/mesh/memory', put({ scope: 'mesh', key: 'counted', value: 1 }))
  for (let n = 0; n < 3; n++) await lab.local('/mesh/memory/mesh/counted')
  for (let n = 0; n < 2; n++) await lab.local('/mesh/memory/mesh/none')
  await lab.local('/never/heard/of/this')
  const after = await scrape()
  const more = (name: string, labels: Record<string, string>) =>
    (metricOf(after, name, labels) ?? 0) - (metricOf(before, name, labels) ?? 0)
  expect(more('mesh_api_requests_total', { route, status: '200' })).toBe(3)
  expect(more('mesh_api_requests_total', { route, status: '404' })).toBe(2)
  expect(more('mesh_api_requests_total', { route: 'refused', status: '404' })).toBe(1)
  expect(more('mesh_api_errors_total', { code: 'NOT_FOUND' })).toBe(2)
  expect(more('mesh_api_request_seconds_count', { route })).toBe(5)
  expect(more('mesh_api_request_seconds_bucket', { route, le: '+Inf' })).toBe(5)
  expect(more('mesh_api_request_seconds_sum', { route })).toBeGreaterThan(0)
  const buckets = [
    ...after.matchAll(/mesh_api_request_seconds_bucket\{le="[^"]+",route="GET \/mesh\/memory\/:scope\/\*"\} (\d+)/g),
  ]
  const counts = buckets.map(([, count]) => Number(count))
  expect(counts).toEqual(counts.toSorted((a, b) => a - b))
  expect(after).not.toContain('heard')
})

test('the replica, its mesh and the search say where they stand', async () => {
  await lab.search.caughtUp(lab.store.position)
  const text = await scrape()
  expect(metricOf(text, 'mesh_replica_entries', { state: 'memory' })).toBe(lab.store.counts().memory)
  expect(metricOf(text, 'mesh_replica_feed_position')).toBe(lab.store.position)
  expect(metricOf(text, 'mesh_sync_peers', { state: 'connected' })).toBe(0)
  expect(metricOf(text, 'mesh_search_behind')).toBe(0)
  expect(metricOf(text, 'mesh_search_entries')).toBe(1)
  expect(metricOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e6)
})

test('the dashboard shows nothing that is not there', async () => {
  const file = new URL('../../examples/grafana/openclaw-mesh.json', import.meta.url)
  const { panels } = JSON.parse(await readFile(file, 'utf8')) as { panels: { targets: { expr: string }[] }[] }
  const shown = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => expr.match(/\b(mesh|process|nodejs)_\w+/g) ?? []),
  )
  const text = await scrape()
  const names = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name))
  expect(shown.length).toBeGreaterThan(10)
  expect(shown.filter((name) => !names.has(name.replace(/_bucket$/, '')))).toEqual([])
})

test('an error names its request, by the caller’s own id where that is harmless', async () => {
  const idOf = async (id?: string) =>
    (await lab.local('/never', { headers: id === undefined ? {} : { 'x-request-id': id } })).headers['x-request-id']
  expect(await idOf('trace-1.a:b')).toBe('trace-1.a:b')
  const made = [await idOf(), await idOf(), await idOf('two words'), await idOf('x'.repeat(65)), await idOf('"')]
  expect(new Set(made).size).toBe(5)
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-\d+$/)
  await lab.local('/mesh/memory/mesh/logged', { headers: { 'x-request-id': 'find-me' } })
  const line = lab.logged.find(({ requestId }) => requestId === 'find-me')
  expect(line).toMatchObject({ route: 'GET /mesh/memory/:scope/*', status: 404, caller: 'operator', component: 'api' })
})
