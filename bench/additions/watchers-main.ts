import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { serveParent } from '../child.ts'

interface Watcher {
  readonly socket: Socket
  /** What came last of what has no end yet. */
  rest: string
}

let watchers: readonly Watcher[] = []
let awaited: { readonly text: string; readonly times: Map<Watcher, number>; readonly done: () => void } | undefined
let arrived: Promise<void> = Promise.resolve()

/** Milliseconds by the clock that all processes of a machine share. */
const now = () => Number(process.hrtime.bigint()) / 1e6

/** Reads the event streams of a daemon. Plain sockets: an HTTP client for each would be what is measured. */
export const methods = {
  /** Opens so many streams; resolves when each has said that it is ready. */
  async open(url: string, token: string, count: number): Promise<void> {
    const { hostname, port, host } = new URL(url)
    const request = `GET /events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`
    const opening = Array.from({ length: count }, async () => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true })
      await once(socket, 'connect')
      socket.write(request)
      for (let head = ''; !head.includes('event: ready'); ) head += String((await once(socket, 'data'))[0])
      const watcher: Watcher = { socket, rest: '' }
      socket.on('data', (chunk) => onData(watcher, chunk))
      return watcher
    })
    watchers = await Promise.all(opening)
  },
  /** From now on notes when the event of this key comes to each. */
  async expect(key: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    awaited = { text: `"key":${JSON.stringify(key)}`, times: new Map(), done: resolve }
    arrived = promise
  },
  /** When it came to each. */
  async times(): Promise<number[]> {
    await arrived
    const times = [...(awaited?.times.values() ?? [])]
    awaited = undefined
    return times
  },
  async close(): Promise<void> {
    for (const { socket } of watchers) socket.destroy()
    watchers = []
  },
}

function onData(watcher: Watcher, chunk: Buffer): void {
  if (awaited === undefined || awaited.times.has(watcher)) return
  const at = now()
  const text = watcher.rest + chunk.toString()
  watcher.rest = text.slice(text.lastIndexOf('\n\n') + 2)
  if (!text.includes(awaited.text)) return
  watcher.rest = ''
  awaited.times.set(watcher, at)
  if (awaited.times.size === watchers.length) awaited.done()
}

serveParent(methods)
