/**
 * A backup: one file with every record of one node's database as it was at one moment, and the node's key unless it was
 * left out. Here is the form of the file; what goes into it, and what becomes of it, is the replica's.
 *
 * Needs nothing but Node, so that whoever has such a file can look through it without a database.
 */
export type { BackupHeader } from './header.ts'
export { type BackupPart, readBackup } from './reader.ts'
export { type Pair, type WriteBackupInit, writeBackup } from './writer.ts'
