import { describe, expect, it } from 'vitest'
import { MeshError } from '../errors.ts'
import {
  describeEntry,
  entryName,
  MESH_SCOPE,
  NODE_SCOPE,
  parseEntryId,
  parseMemoryKey,
  parseNodeId,
  parseScope,
  parseSkillName,
  sameEntry,
} from './index.ts'

/** What a parser throws, as what callers match on. */
function faultOf(parse: () => unknown): { code: string; field: string | undefined; message: string } {
  try {
    parse()
  } catch (error) {
    if (error instanceof MeshError) return { code: error.code, field: error.field, message: error.message }
    throw error
  }
  throw new Error('nothing was refused')
}

const NOT_TEXT = [undefined, null, 5, true, {}, ['mesh'], new String('mesh')]
const LONE = '\ud800'

describe('parseScope', () => {
  it.each([
    'node',
    'mesh',
    'federation',
    'user:ada',
    'user:acme:ada',
    'tenant:acme',
    'user:Ünïcødé 名前',
    'tenant:a/b',
    `user:${'x'.repeat(251)}`,
  ])('takes %j as it is', (text) => {
    expect(parseScope(text)).toBe(text)
  })

  it.each([
    '',
    'nodes',
    'Mesh',
    ' mesh',
    'mesh ',
    'mesh:',
    'mesh:a',
    'node:a',
    'federation:x',
    'user',
    'user:',
    'user::',
    'user:a:',
    'user::b',
    'user:a:b:c',
    'tenant',
    'tenant:',
    'tenant:a:b',
    ':',
    ':a',
    'toString',
    'constructor',
    '__proto__',
    'hasOwnProperty:a',
    'user:a\u0000',
    'user:a\nb',
    'user:\u007f',
    'user:\u0085',
    `user:${LONE}`,
    '*',
    'user:a\u001b[31m',
  ])('refuses %j and says what a scope is', (text) => {
    const fault = faultOf(() => parseScope(text, 'in.scope'))
    expect(fault).toMatchObject({ code: 'SCOPE_INVALID', field: 'in.scope' })
    expect(fault.message).toMatch(/^in\.scope: .*tenant:<id>/)
  })

  it('refuses what is no text, or more than 256 bytes of it (S-23)', () => {
    for (const one of NOT_TEXT) expect(faultOf(() => parseScope(one)).code).toBe('SCOPE_INVALID')
    for (const id of ['x'.repeat(252), 'é'.repeat(126), '名'.repeat(84)]) {
      expect(faultOf(() => parseScope(`user:${id}`)).code).toMatch(/^SCOPE_(INVALID|TOO_LARGE)$/)
    }
    expect(parseScope(`user:${'é'.repeat(125)}`)).toHaveLength(130)
  })
})

describe('parseMemoryKey', () => {
  it.each([
    'k',
    'a/b',
    'a:b',
    '../..',
    '/',
    '~',
    '__proto__',
    'constructor',
    'with space',
    'line\nbreak',
    '🚀',
    'x'.repeat(1024),
  ])('takes %j as it is (S-21)', (text) => {
    expect(parseMemoryKey(text)).toBe(text)
  })

  it('refuses what no file or peer can keep (S-22)', () => {
    for (const one of [...NOT_TEXT, '', 'a\u0000b', `a${LONE}`, '\udc00\ud800']) {
      expect(faultOf(() => parseMemoryKey(one, 'key'))).toMatchObject({ code: 'KEY_INVALID', field: 'key' })
    }
  })

  it('refuses more than 1,024 bytes of UTF-8, however few characters (S-23)', () => {
    for (const one of ['x'.repeat(1025), 'é'.repeat(513), '🚀'.repeat(257)]) {
      expect(faultOf(() => parseMemoryKey(one))).toMatchObject({ code: 'KEY_TOO_LARGE', field: 'key' })
    }
    expect(parseMemoryKey('🚀'.repeat(256))).toHaveLength(512)
  })
})

describe('parseSkillName', () => {
  it.each(['deploy', 'Deploy', 'a', 'with space', 'a.b', 'constructor', '__proto__', '-x', 'ünï', 'x'.repeat(200)])(
    'takes %j as it is',
    (text) => {
      expect(parseSkillName(text)).toBe(text)
    },
  )

  it('refuses every way out of a folder (S-19)', () => {
    for (const one of [
      '../x',
      '/x',
      'x/y',
      'x\\y',
      '..',
      '.',
      '.hidden',
      'x\u0000',
      'a\n',
      '\u001b[2J',
      '/',
      '\\',
      'a/../../b',
    ]) {
      expect(faultOf(() => parseSkillName(one))).toMatchObject({ code: 'NAME_INVALID', field: 'name' })
    }
  })

  it('refuses what is no text or does not fit a file name (S-19, S-22)', () => {
    for (const one of [...NOT_TEXT, '', LONE, 'x'.repeat(201), 'x'.repeat(300), 'é'.repeat(101), '🚀'.repeat(51)]) {
      expect(faultOf(() => parseSkillName(one, 'skill')).field).toBe('skill')
    }
  })
})

describe('parseNodeId', () => {
  it.each(['ceo', 'external:acme:ceo', 'Ada’s Mac', 'x'.repeat(256), '__proto__'])('takes %j as it is', (text) => {
    expect(parseNodeId(text)).toBe(text)
  })

  it('refuses what would garble a log or cannot be kept (S-22, S-23)', () => {
    for (const one of [...NOT_TEXT, '', 'a\nb', 'a\u0000', '\u001b[31mred', '\u009b31m', LONE, 'x'.repeat(257)]) {
      expect(faultOf(() => parseNodeId(one))).toMatchObject({ code: 'NODE_ID_INVALID', field: 'node_id' })
    }
  })
})

describe('entry ids', () => {
  it('are parsed by the rules of their kind', () => {
    expect(parseEntryId('memory', 'mesh', 'a/b')).toEqual({ kind: 'memory', scope: 'mesh', key: 'a/b' })
    expect(parseEntryId('skill', 'user:ada', 'deploy')).toEqual({ kind: 'skill', scope: 'user:ada', key: 'deploy' })
    expect(faultOf(() => parseEntryId('skill', 'mesh', 'a/b')).code).toBe('NAME_INVALID')
    expect(faultOf(() => parseEntryId('memory', 'nowhere', 'a')).code).toBe('SCOPE_INVALID')
  })

  it('are equal when all their parts are', () => {
    const id = parseEntryId('memory', 'mesh', 'a')
    expect(sameEntry(id, parseEntryId('memory', 'mesh', 'a'))).toBe(true)
    expect(entryName(id)).toBe(entryName(parseEntryId('memory', 'mesh', 'a')))
    for (const other of [
      parseEntryId('skill', 'mesh', 'a'),
      parseEntryId('memory', 'node', 'a'),
      parseEntryId('memory', 'mesh', 'b'),
    ]) {
      expect(sameEntry(id, other)).toBe(false)
      expect(entryName(id)).not.toBe(entryName(other))
    }
    expect([NODE_SCOPE, MESH_SCOPE].map((scope) => parseScope(scope))).toEqual(['node', 'mesh'])
    expect(describeEntry(id)).toBe('memory mesh/a')
  })
})
