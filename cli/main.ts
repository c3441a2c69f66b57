#!/usr/bin/env node
import { requireNode } from '../daemon/node-version.ts'

requireNode()
const { runProcess } = await import('./process.ts')
await runProcess()
