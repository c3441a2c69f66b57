import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface HttpAnswer {
  readonly status: number
  readonly body: Buffer
}

interface Waiting {
  readonly resolve: (answer: HttpAnswer) => void
  readonly reject: (error: Error) => void
}

/**
 * One connection to an HTTP server, kept open, with one request under way at a time. It knows just enough of HTTP to
 * measure a server (answers with a Content-Length): `node:http` as a client costs more than the servers measured here,
 * and would be what is measured.
 */
export class HttpConnection {
  readonly #socket: Socket
  readonly #head: string
  #received: Buffer = Buffer.alloc(0)
  #waiting: Waiting | undefined

  private constructor(socket: Socket, head: string) {
    this.#socket = socket
    this.#head = head
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')))
    socket.on('error', (error) => this.#waiting?.reject(error))
  }

  /** @param token sent as bearer with every request, where given */
  static async open(url: string, token?: string): Promise<HttpConnection> {
    const { hostname, port, host } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    const auth = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
    return new HttpConnection(socket, `Host: ${host}\r\n${auth}`)
  }

  get(path: string): Promise<HttpAnswer> {
    return this.#send(`GET ${path} HTTP/1.1\r\n${this.#head}\r\n`)
  }

  put(path: string, body: unknown): Promise<HttpAnswer> {
    const text = JSON.stringify(body)
    const head = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`
    return this.#send(`PUT ${path} HTTP/1.1\r\n${this.#head}${head}\r\n${text}`)
  }

  close(): void {
    this.#socket.destroy()
  }

  #send(request: string): Promise<HttpAnswer> {
    if (this.#waiting !== undefined) throw new Error('one request at a time')
    // A server closes what is idle for some seconds.
    if (this.#socket.destroyed) throw new Error('the connection is closed')
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(request)
    })
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = this.#received.toString('latin1', 0, headEnd)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    const waiting = this.#waiting
    if (length === undefined || waiting === undefined) {
      this.#socket.destroy(new Error(`an answer that this client does not read: ${head}`))
      return
    }
    const bodyEnd = headEnd + 4 + Number(length)
    if (this.#received.length < bodyEnd) return
    const body = this.#received.subarray(headEnd + 4, bodyEnd)
    this.#received = this.#received.subarray(bodyEnd)
    this.#waiting = undefined
    waiting.resolve({ status: Number(head.slice(9, 12)), body })
  }
}

/** Opens so many connections at once. */
export async function openConnections(count: number, url: string, token?: string): Promise<HttpConnection[]> {
  return Promise.all(Array.from({ length: count }, () => HttpConnection.open(url, token)))
}

/** The answer's JSON. @throws Error unless its status is 200 */
export function okJson({ status, body }: HttpAnswer): unknown {
  if (status !== 200) throw new Error(`status ${status}: ${body}`)
  return JSON.parse(body.toString())
}
