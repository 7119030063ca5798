import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import en from './en'
import zh from './zh'

function leaves(node: unknown, path = ''): Map<string, string> {
  if (typeof node === 'string') return new Map([[path, node]])
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(node as object)) {
    for (const [k, v] of leaves(value, path ? `${path}.${key}` : key)) all.set(k, v)
  }
  return all
}

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return path.endsWith('i18n') ? [] : sources(path)
    return /\.(ts|vue)$/.test(entry.name) && !entry.name.endsWith('.test.ts') ? [readFileSync(path, 'utf8')] : []
  })
}

const zhKeys = leaves(zh)
const enKeys = leaves(en)

test('both languages have the same keys', () => {
  expect([...enKeys.keys()].sort()).toEqual([...zhKeys.keys()].sort())
})

test('both languages name the same parameters', () => {
  const names = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()
  for (const [key, value] of zhKeys) expect(names(enKeys.get(key) ?? ''), key).toEqual(names(value))
})

test('no message is empty, and none holds the characters that vue-i18n takes for syntax', () => {
  for (const all of [zhKeys, enKeys]) {
    for (const [key, value] of all) {
      expect(value.trim(), key).not.toBe('')
      expect(value, key).not.toMatch(/[|@]/)
    }
  }
})

// A sensor over its threshold is an alarm of this bureau. A warning (预警) is published by the competent body alone.
test('no text calls an alarm a warning', () => {
  for (const [key, value] of zhKeys) expect(value, key).not.toMatch(/预警/)
  for (const [key, value] of enKeys) expect(value, key).not.toMatch(/\bwarnings?\b/i)
})

test('every key is used, and every used key exists', () => {
  const text = sources(join(__dirname, '../..')).join('\n')
  const fixed = new Set([...text.matchAll(/\bt\(\s*'([^']+)'/g)].map((m) => m[1]!))
  // Keys that stand in a table, as { key: 'command.help.search' }.
  for (const m of text.matchAll(/'((?:[a-z]\w*)(?:\.[\w-]+)+)'/gi)) if (zhKeys.has(m[1]!)) fixed.add(m[1]!)
  // t(`level.${n}`) uses every key that begins with "level."
  const prefixes = [...text.matchAll(/\bt\(\s*`([a-z][\w.]*\.)\$\{/gi)].map((m) => m[1]!)
  const unused = [...zhKeys.keys()].filter((key) => !fixed.has(key) && !prefixes.some((p) => key.startsWith(p)))
  const missing = [...fixed].filter((key) => !zhKeys.has(key))
  expect({ unused, missing }).toEqual({ unused: [], missing: [] })
})
