import { randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod, open, readFile, rename, rm } from 'node:fs/promises'
import { MeshError } from '../../../crdt/errors.ts'

/** The bearer token that opens the store API over TCP. It never appears in a log, an answer or an error. */
export interface TokenFile {
  readonly path: string
  /** Whether the candidate is the token; takes the same time whatever differs. */
  matches(candidate: string): boolean
  /** Aborted when the token that is valid now is replaced. */
  readonly ended: AbortSignal
  /** Replaces the token, in the file first; the old one is dead when this resolves. @throws {MeshError} `TOKEN_UNWRITABLE` */
  rotate(): Promise<void>
}

const TOKEN_BYTES = 32
/** base64url of {@link TOKEN_BYTES} has 43 characters; an operator may write a longer one of his own. */
const TOKEN = /^[\w-]{43,256}$/
const MAX_TOKEN_BYTES = 256

/**
 * Opens the token file, and makes it where there is none. Rights wider than 0600 are taken back.
 *
 * @param init `random` stands in for the system's randomness
 * @throws {MeshError} `TOKEN_UNREADABLE` (no rights, or not a token), `TOKEN_UNWRITABLE`
 */
export async function openTokenFile(
  path: string,
  init: { readonly random?: (bytes: number) => Uint8Array } = {},
): Promise<TokenFile> {
  const make = () => Buffer.from((init.random ?? randomBytes)(TOKEN_BYTES)).toString('base64url')
  // Filled anew for each candidate: a buffer of its own for each request would cost more than the comparison.
  const padded = pad('')
  let end = new AbortController()
  let secret = pad((await readToken(path)) ?? (await writeToken(path, make())))

  return {
    path,
    matches: (candidate) => timingSafeEqual(pad(candidate, padded), secret),
    get ended() {
      return end.signal
    },
    rotate: async () => {
      secret = pad(await writeToken(path, make()))
      end.abort()
      end = new AbortController()
    },
  }
}

async function readToken(path: string): Promise<string | undefined> {
  const hint = `mend or remove the file; a new token is made when it is absent`
  let token: string
  try {
    token = (await readFile(path, 'utf8')).trim()
    await chmod(path, 0o600)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new MeshError('TOKEN_UNREADABLE', `cannot read the token file ${path}`, { field: path, hint, cause })
  }
  if (TOKEN.test(token)) return token
  throw new MeshError('TOKEN_UNREADABLE', `the token file ${path} holds no token (43 or more of A-Z a-z 0-9 _ -)`, {
    field: path,
    hint,
  })
}

/** Written beside and renamed: a reader sees the old token or the new one, and no one else sees either. */
async function writeToken(path: string, token: string): Promise<string> {
  // Of its own for each writer: two daemons may start at once.
  const beside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await rm(beside, { force: true })
    await using file = await open(beside, 'wx', 0o600)
    await file.writeFile(`${token}\n`)
    await file.sync()
    await rename(beside, path)
    return token
  } catch (cause) {
    const hint = 'make its folder writable for the user who runs the daemon'
    throw new MeshError('TOKEN_UNWRITABLE', `cannot write the token file ${path}`, { field: path, hint, cause })
  }
}

/** Makes both sides equally long, which the constant-time comparison needs. */
function pad(token: string, into: Buffer = Buffer.alloc(MAX_TOKEN_BYTES + 4)): Buffer {
  // With room for one more character, so that the longest token and more is not the token; 0xff stands in no UTF-8.
  into.fill(0xff).write(token)
  return into
}
