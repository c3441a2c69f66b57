// A command line as an earlier mesh had it: one plain script, `fetch`, and two variables of the environment.
//   put <scope> <key> <json> | get <scope> <key> | list [scope] | search <words> [scope]
//   skill-put <name> <text> | skill-link <name> <path> | skill <name> | skills | health
const url = process.env.MESH_STORE_URL ?? 'http://127.0.0.1:4078'
const nodeId = process.env.MESH_NODE ?? 'older'
const encode = encodeURIComponent

async function call(method, path, body) {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.MESH_STORE_KEY}` }
  const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) })
  const answer = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${answer.error}`)
  return answer
}

const commands = {
  health: () => call('GET', '/health').then(({ ok, storeAvailable }) => (ok && storeAvailable ? 'up' : 'down')),
  put: (scope, key, json) => call('PUT', '/mesh/memory', { scope, key, value: JSON.parse(json), node_id: nodeId }),
  get: (scope, key) => call('GET', `/mesh/memory/${encode(scope)}/${encode(key)}`).then((row) => row.value),
  list: async (scope) => {
    const rows = await call('GET', scope ? `/mesh/memory?scope=${encode(scope)}` : '/mesh/memory')
    return rows.map((row) => `${row.scope}:${row.key} ${row.node_id} ${new Date(row.updated_at * 1000).getFullYear()}`)
  },
  search: async (words, scope = 'mesh') => {
    const rows = await call('GET', `/mesh/memory?q=${encode(words)}&scope=${encode(scope)}&limit=25&mode=fts`)
    return rows.map((row) => `${row.scope}:${row.key} ${row.snippet}`)
  },
  'skill-put': (name, content) => call('PUT', '/mesh/skills', { name, source_node: nodeId, content }),
  'skill-link': (name, path) => call('PUT', '/mesh/skills', { name, source_node: nodeId, path }),
  skill: (name) => call('GET', `/mesh/skills/${encode(name)}`).then((row) => row.content ?? `see ${row.path}`),
  skills: async () => (await call('GET', '/mesh/skills')).map((row) => `${row.name} ${row.source_node}`),
}

const [command, ...args] = process.argv.slice(2)
try {
  console.log(JSON.stringify(await commands[command](...args)))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
