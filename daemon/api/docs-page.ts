type Json = Readonly<Record<string, unknown>>

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly description?: string
  readonly schema: unknown
}

interface Operation {
  readonly summary: string
  readonly description: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Json }
  readonly responses: Readonly<Record<string, { readonly content?: Json }>>
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
h2 { margin: 2.5rem 0 0; font-size: 1.1rem } h2 code { font-size: 1rem } p { margin: .25rem 0 .75rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .2rem .75rem .2rem 0; vertical-align: top }
pre { overflow-x: auto; padding: .75rem; background: color-mix(in srgb, currentColor 8%, transparent); border-radius: .4rem }
nav a { display: block } code { font-family: ui-monospace, monospace } .method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
`

/** An OpenAPI document of this API as a page to read, without a script. */
export function docsPage(document: Json): string {
  const { info, paths } = document as {
    info: { title: string; version: string; description: string }
    paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  }
  const calls = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const anchor = (method: string, path: string) => escapeHtml(`${method}-${path}`)
  const links = calls.map(
    ({ path, method, operation }) =>
      `<a href="#${anchor(method, path)}"><code><span class="method">${method}</span>${escapeHtml(path)}</code> ${escapeHtml(operation.summary)}</a>`,
  )
  const sections = calls.map(
    ({ path, method, operation }) =>
      `<section><h2 id="${anchor(method, path)}"><code><span class="method">${method}</span>${escapeHtml(path)}</code></h2>${callHtml(operation)}</section>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(info.title)}: API</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(info.title)} ${escapeHtml(info.version)}</h1>
<p>${escapeHtml(info.description)} For programs: <a href="/openapi.json">openapi.json</a>.</p>
<nav>${links.join('\n')}</nav>
${sections.join('\n')}
</body></html>
`
}

function callHtml({ summary, description, parameters = [], requestBody, responses }: Operation): string {
  const rows = parameters.map(
    ({ name, in: place, required, description: what = '', schema }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${place}${required ? ', required' : ''}</td><td><code>${escapeHtml(short(schema))}</code> ${escapeHtml(what)}</td></tr>`,
  )
  const table = rows.length === 0 ? '' : `<table>${rows.join('')}</table>`
  return `<p>${escapeHtml(summary)}. ${escapeHtml(description)}</p>${table}${schemaHtml('Body', requestBody?.content)}${schemaHtml('Answer', responses['200']?.content)}`
}

function schemaHtml(title: string, content: Json | undefined): string {
  const [type, media] = Object.entries(content ?? {})[0] ?? []
  if (type === undefined) return ''
  const { schema } = media as { schema: unknown }
  const shown = Object.keys(schema as object).length === 0 ? '' : `<pre>${escapeHtml(shape(schema))}</pre>`
  return `<details><summary>${title}: <code>${escapeHtml(type)}</code></summary>${shown}</details>`
}

/** A schema as its value looks: `{scope: string, value: any}`. */
function shape(schema: unknown, indent = ''): string {
  const {
    type,
    properties,
    required = [],
    items,
    anyOf,
    allOf,
  } = schema as {
    type?: unknown
    properties?: Record<string, unknown>
    required?: readonly string[]
    items?: unknown
    anyOf?: readonly unknown[]
    allOf?: readonly unknown[]
  }
  if (anyOf !== undefined) return anyOf.map((one) => shape(one, indent)).join(' or ')
  if (allOf !== undefined) return allOf.map((one) => shape(one, indent)).join(' and ')
  if (properties !== undefined) {
    const deeper = `${indent}  `
    const members = Object.entries(properties).map(
      ([name, member]) => `${deeper}${name}${required.includes(name) ? '' : '?'}: ${shape(member, deeper)}`,
    )
    return `{\n${members.join(',\n')}\n${indent}}`
  }
  if (type === 'array') return `[${shape(items ?? {}, indent)}]`
  return short(schema)
}

function short(schema: unknown): string {
  const { type, const: only, minimum, maximum } = schema as Record<string, unknown>
  if (only !== undefined) return JSON.stringify(only)
  const name = Array.isArray(type) ? type.join(' or ') : String(type ?? 'any')
  const bounds = [minimum === undefined ? '' : `from ${minimum}`, maximum === undefined ? '' : `to ${maximum}`]
  return [name, ...bounds].filter((part) => part !== '').join(' ')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
