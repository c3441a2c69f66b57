/** What `mesh export` writes, and where: rows as lines or as an older mesh-memory.json; a file that is whole or not there. */
export { createFormat, FORMATS, type Format, type FormatName } from './format.ts'
export { openFileSink, type Sink, streamSink } from './sink.ts'
