import type { AddedChange, EntryDocument } from '../entry/index.ts'
import { changeMessage, verifyChange } from '../signing.ts'
import { type ChangeSignature, unpackOffered, unpackSignatures } from './records.ts'
import type { Judge, VetTask } from './vet.ts'

/** Signatures kept for one change: its author's and those of members that brought it along. */
const MAX_SIGNATURES_PER_CHANGE = 8

/**
 * Signatures offered that are valid for a change of the document and not held already, at most a few for each change.
 * @param added the changes that came along
 */
export function validSignatures(
  { id, held, offered }: VetTask,
  { meshId, members }: Judge,
  document: EntryDocument,
  added: readonly AddedChange[],
): ChangeSignature[] {
  const signers = new Map<string, Set<string>>()
  for (const { change, publicKey } of unpackSignatures(held)) entryOf(signers, hex(change), newSet).add(hex(publicKey))
  const fresh = byPrefix(added.flatMap(({ hash, deps }) => (deps.length > 0 ? [hash] : [])))
  let all: ReadonlyMap<string, readonly string[]> | undefined
  const valid: ChangeSignature[] = []
  for (const { prefix, publicKey, signature } of unpackOffered(offered)) {
    const signer = hex(publicKey)
    if (!members.has(signer)) continue
    const name = hex(prefix)
    const signs = (hash: string) => {
      const others = entryOf(signers, hash, newSet)
      if (others.size >= MAX_SIGNATURES_PER_CHANGE || others.has(signer)) return false
      return verifyChange(publicKey, changeMessage(meshId, id, Buffer.from(hash, 'hex')), signature)
    }
    let signed = fresh.get(name)?.find(signs)
    if (signed === undefined) {
      // It vouches for a change that was here before, which is rare: only then all are listed.
      all ??= byPrefix(document.authoredHashes())
      signed = all.get(name)?.find((hash) => !fresh.get(name)?.includes(hash) && signs(hash))
    }
    if (signed === undefined) continue
    entryOf(signers, signed, newSet).add(signer)
    valid.push({ change: Buffer.from(signed, 'hex'), publicKey, signature })
  }
  return valid
}

function byPrefix(hashes: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const hash of hashes) entryOf(found, hash.slice(0, 8), () => [] as string[]).push(hash)
  return found
}

/** The value at a key, made where there is none. */
function entryOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

const newSet = () => new Set<string>()

const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
