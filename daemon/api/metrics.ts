import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { Mesh } from '../../transports/mesh.ts'
import type { Search } from '../search/index.ts'
import type { EventHub } from './events/index.ts'

/** Upper bounds of the buckets of request durations, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** What one route has answered. Kept by hand: a labelled metric for each request would cost more than reading a row. */
export class RouteStats {
  /** Method and path, with the names of its parameters. */
  readonly route: string
  /** By HTTP status. */
  readonly byStatus = new Float64Array(600)
  readonly buckets = new Float64Array(BUCKETS.length + 1)
  seconds = 0

  constructor(route: string) {
    this.route = route
  }

  record(status: number, seconds: number): void {
    this.byStatus[status] = (this.byStatus[status] ?? 0) + 1
    this.seconds += seconds
    let at = 0
    while (at < BUCKETS.length && seconds > (BUCKETS[at] as number)) at++
    this.buckets[at] = (this.buckets[at] as number) + 1
  }

  get count(): number {
    return this.buckets.reduce((sum, one) => sum + one, 0)
  }
}

export interface MetricsComponents {
  readonly store: EntryStore
  readonly mesh: Mesh
  readonly search: Search | undefined
  readonly hub: EventHub
}

/**
 * What is counted, for Prometheus. Requests are counted as they are answered; all else is looked up when somebody asks,
 * so that nothing is done while nobody does.
 */
export class Metrics {
  readonly #components: MetricsComponents
  readonly #routes = new Map<string, RouteStats>()
  readonly #errors = new Map<string, number>()
  #registry: Registry | undefined

  constructor(components: MetricsComponents) {
    this.#components = components
  }

  /** Where the answers of a route are counted. @param name method and path, with the names of its parameters */
  route(name: string): RouteStats {
    const stats = this.#routes.get(name) ?? new RouteStats(name)
    this.#routes.set(name, stats)
    return stats
  }

  /** @param code of errors.md */
  failed(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
  }

  /** In the text format of Prometheus. */
  async text(): Promise<string> {
    this.#registry ??= this.#newRegistry()
    return (await this.#registry.metrics()) + this.#durations()
  }

  get contentType(): string {
    return Registry.PROMETHEUS_CONTENT_TYPE
  }

  #newRegistry(): Registry {
    const registry = new Registry()
    const registers = [registry]
    const { store, mesh, search, hub } = this.#components
    collectDefaultMetrics({ register: registry })

    const counter = (name: string, help: string, labels: readonly string[], read: (set: Setter) => void) =>
      new Counter({
        name,
        help,
        labelNames: [...labels],
        registers,
        collect() {
          this.reset()
          read((values, value) => this.inc(values, value))
        },
      })
    const gauge = (name: string, help: string, labels: readonly string[], read: (set: Setter) => void) =>
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers,
        collect() {
          this.reset()
          read((values, value) => this.set(values, value))
        },
      })

    counter('mesh_api_requests_total', 'Requests answered.', ['route', 'status'], (set) => {
      for (const [route, { byStatus }] of this.#routes) {
        for (const [status, count] of byStatus.entries()) if (count > 0) set({ route, status: String(status) }, count)
      }
    })
    counter('mesh_api_errors_total', 'Errors answered, by code.', ['code'], (set) => {
      for (const [code, count] of this.#errors) set({ code }, count)
    })
    gauge('mesh_api_watchers', 'Readers of events.', [], (set) => set({}, hub.watchers))

    gauge('mesh_replica_entries', 'Entries by what they are.', ['state'], (set) => {
      const { memory, skills, deleted, expired } = store.counts()
      for (const [state, count] of Object.entries({ memory, skills, deleted, expired })) set({ state }, count)
    })
    gauge('mesh_replica_conflicts', 'Places at which concurrent writes disagree.', [], (set) =>
      set({}, store.counts().conflicts),
    )
    gauge('mesh_replica_feed_position', 'Position of the latest commit.', [], (set) => set({}, store.position))

    gauge('mesh_sync_peers', 'Other members, by state.', ['state'], (set) => {
      const peers = mesh.peers()
      set({ state: 'connected' }, peers.filter(({ connected }) => connected).length)
      set({ state: 'disconnected' }, peers.filter(({ connected }) => !connected).length)
      set({ state: 'equal' }, peers.filter(({ equal }) => equal).length)
    })
    gauge('mesh_sync_last_seconds', 'When a member was last reconciled with, Unix seconds.', ['peer'], (set) => {
      for (const { nodeId, lastSync } of mesh.peers()) if (lastSync !== null) set({ peer: nodeId }, lastSync / 1000)
    })
    gauge('mesh_sync_left_out', 'Entries of a member that are not taken in.', ['peer', 'why'], (set) => {
      for (const { nodeId, incomplete, refused } of mesh.peers()) {
        set({ peer: nodeId, why: 'incomplete' }, incomplete)
        set({ peer: nodeId, why: 'refused' }, refused)
      }
    })

    if (search !== undefined) {
      gauge('mesh_search_entries', 'Entries in the search index.', [], (set) => set({}, search.status().entries))
      gauge('mesh_search_behind', 'Commits that the search index does not hold yet.', [], (set) =>
        set({}, Math.max(0, store.position - search.status().position)),
      )
      gauge('mesh_search_bytes', 'Size of the search index.', [], (set) => set({}, search.status().bytes))
    }
    return registry
  }

  /** A histogram of request durations, as the registry would write it. */
  #durations(): string {
    const name = 'mesh_api_request_seconds'
    const lines = [`\n# HELP ${name} How long requests took until they were answered.`, `# TYPE ${name} histogram`]
    for (const [route, stats] of this.#routes) {
      if (stats.count === 0) continue
      let sum = 0
      const label = `route="${route.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
      for (const [i, bound] of BUCKETS.entries()) {
        sum += stats.buckets[i] ?? 0
        lines.push(`${name}_bucket{le="${bound}",${label}} ${sum}`)
      }
      lines.push(`${name}_bucket{le="+Inf",${label}} ${stats.count}`)
      lines.push(`${name}_sum{${label}} ${stats.seconds}`, `${name}_count{${label}} ${stats.count}`)
    }
    return `${lines.join('\n')}\n`
  }
}

type Setter = (labels: Record<string, string>, value: number) => void
