/**
 * What a caller of the store API gets: a real daemon as a process, the load generator in this one. Beside it stand a bare
 * route, and a plain server over SQLite that is as durable but checks, signs and merges nothing.
 */
import type { Bar, Question } from '../question.ts'
import { openPutGetHttp } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, connections: 4, keys: 20, puts: 50, hot: 20, gets: 50 },
  small: { rounds: 3, warmUps: 1, connections: 16, keys: 1_000, puts: 500, hot: 400, gets: 15_000 },
  full: { rounds: 5, warmUps: 1, connections: 16, keys: 1_000, puts: 8_000, hot: 5_000, gets: 100_000 },
} as const

const HALF_OF_FASTIFY: Bar = { bound: 'at least', value: 0.5, to: 'fastify' }

export const putGetHttp: Question = {
  name: 'put-get-http',
  asks: 'How fast is the store API over TCP, with auth and validation on, all connections busy?',
  figures: () => [
    { id: 'get', what: 'get', unit: '/s', against: ['fastify', 'sqlite.get'], bars: [HALF_OF_FASTIFY] },
    { id: 'fastify', what: 'bare Fastify route that returns the same row', unit: '/s' },
    { id: 'sqlite.get', what: 'get, plain SQLite server', unit: '/s' },
    { id: 'get.p50', what: 'get, p50', unit: 'ms' },
    { id: 'get.p99', what: 'get, p99', unit: 'ms' },
    {
      id: 'new',
      what: 'put, new keys',
      unit: '/s',
      against: ['sqlite.new'],
      bars: [{ bound: 'at least', value: 3_000 }],
    },
    { id: 'sqlite.new', what: 'put, new keys, plain SQLite server', unit: '/s' },
    { id: 'new.p50', what: 'put, new keys, p50', unit: 'ms' },
    { id: 'new.p99', what: 'put, new keys, p99', unit: 'ms' },
    {
      id: 'hot',
      what: 'put, one hot key',
      unit: '/s',
      against: ['sqlite.hot'],
      bars: [{ bound: 'at least', value: 2_500 }],
    },
    { id: 'sqlite.hot', what: 'put, one hot key, plain SQLite server', unit: '/s' },
    { id: 'hot.p50', what: 'put, one hot key, p50', unit: 'ms' },
    { id: 'hot.p99', what: 'put, one hot key, p99', unit: 'ms' },
    { id: 'plain.new', what: 'put, new keys, file view off', unit: '/s', against: ['new'] },
    { id: 'plain.hot', what: 'put, one hot key, file view off', unit: '/s', against: ['hot'] },
  ],
  sizes: SIZES,
  open: (size) => openPutGetHttp(SIZES[size]),
}
