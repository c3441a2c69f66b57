/**
 * The file view: memories and skills of the mesh as plain files, for agents that read files. One way: the replica is
 * followed, and what somebody else writes is left alone and said.
 */
export type { FileSource } from './exporter.ts'
export { createFileView } from './file-view.ts'
export { decodeFileName, decodeName, encodeFileName, encodeName } from './names.ts'
export type { FileView, FileViewComponents, FileViewInit, FileViewTiming } from './view.ts'
