import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { serveParent } from '../child.ts'

interface PutBody {
  readonly scope: string
  readonly key: string
  readonly value: unknown
  readonly node_id?: string
}

/** Puts and gets of rows as the store API has them, without auth, checks, merging, signatures, history, peers and files. */
export const methods = {
  /** Serves a database in a folder. Returns its URL. */
  async listen(folder: string): Promise<string> {
    const rows = openRows(join(folder, 'rows.sqlite'))
    const server = createServer((request, response) => {
      answer(rows, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('listens on no port')
    return `http://127.0.0.1:${address.port}`
  },
}

type Rows = ReturnType<typeof openRows>

function openRows(path: string) {
  const database = new DatabaseSync(path)
  // A put that was answered is on disk, as with ours.
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE memory (scope TEXT, key TEXT, value TEXT, node_id TEXT, updated_at INTEGER, PRIMARY KEY (scope, key))`)
  return {
    put: database.prepare('INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?, ?)'),
    get: database.prepare('SELECT * FROM memory WHERE scope = ? AND key = ?'),
  }
}

async function answer(rows: Rows, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const row = request.method === 'PUT' ? put(rows, await bodyOf(request)) : get(rows, request.url ?? '')
  const text = JSON.stringify(row ?? { error: 'not found' })
  const head = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }
  response.writeHead(row === undefined ? 404 : 200, head).end(text)
}

function put({ put: statement }: Rows, text: string) {
  const { scope, key, value, node_id = 'ceo' } = JSON.parse(text) as PutBody
  const updated_at = Math.floor(Date.now() / 1_000)
  statement.run(scope, key, JSON.stringify(value), node_id, updated_at)
  return { scope, key, value, node_id, updated_at }
}

function get({ get: statement }: Rows, path: string) {
  const [scope = '', key = ''] = path.split('/').slice(-2).map(decodeURIComponent)
  const row = statement.get(scope, key)
  return row && { ...row, value: JSON.parse(String(row['value'])) }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

serveParent(methods)
