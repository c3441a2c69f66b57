/** What the tests of this folder share. */

import { createHash } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { Log } from './log.ts'

export const quiet: Log = { debug() {}, info() {}, warn() {} }

/** The same seed for the same name. */
export function seedOf(name: string): Uint8Array {
  return createHash('sha256').update(name).digest()
}

export interface TestServer {
  /** Its address as multiaddr. */
  readonly address: string
  close(): Promise<void>
}

/** A TCP server on loopback that does with its sockets what it is told. */
export async function serve(onSocket: (socket: Socket) => void): Promise<TestServer> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // a peer that resets it is what some tests are about
    socket.on('close', () => sockets.delete(socket))
    socket.resume() // unread, it would not notice that it was closed
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** An address where nobody listens. */
export async function freeAddress(): Promise<string> {
  const server = await serve(() => {})
  await server.close()
  return server.address
}

export function portOf(address: string | undefined): number {
  return Number(address?.split('/').at(-1))
}

/** A clock that stands until it is told to go on. */
export class ManualClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>()

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How long each timer still has to wait, in ms. */
  waiting(): number[] {
    return [...this.#timers].map((timer) => timer.at - this.#now)
  }

  advance(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now) continue
      this.#timers.delete(timer)
      timer.run()
    }
  }
}
