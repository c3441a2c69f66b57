/** What `mesh backup` and `mesh restore` share: looking through a file from front to back. */
export { type CheckedBackup, checkBackup, type OpenBackup, openBackup } from './backup-file.ts'
