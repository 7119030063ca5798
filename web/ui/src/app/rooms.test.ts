// The rooms of the page and what each may import. app may import all; a feature imports shared, and of the other
// features those listed here; shared imports no feature. Only the collection of messages reads those of all features.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const src = join(__dirname, '..')

/** Each feature with the features that it may import, and why. Those below are imported by those above. */
const edges: Record<string, string[]> = {
  phone: ['map', 'alerts', 'layers'], // the responder's page: an alert, and the map around it
  map: ['alerts', 'devices', 'layers'], // the command page draws all of them
  alerts: ['devices'], // an alert is about a device's reading
  ingest: ['devices'], // a conflict names its device
  devices: ['rules'], // a chart has the bands of the rules
  accounts: [],
  layers: [],
  rules: [],
  about: [],
}

const messages = /^shared\/i18n\/(zh|en)\.ts$/
const ofMessages = /^(app|features\/[^/]+)\/i18n\/(zh|en)$/

function files(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return files(path)
    return /\.(ts|vue)$/.test(entry.name) && !/\.(test|d)\.ts$/.test(entry.name) ? [relative(src, path)] : []
  })
}

/** What a source imports, as paths below src. Packages are left out. */
function importsOf(file: string, text: string): string[] {
  const all = [...text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g), ...text.matchAll(/\bsrc="([^"]+)"/g)].map((m) => m[1]!)
  return all.flatMap((path) => (path.startsWith('@/') ? [path.slice(2)] : path.startsWith('.') ? [normalize(join(dirname(file), path))] : []))
}

/** What of the imports is against the rules, in words; empty: nothing. */
function faultsOf(file: string, text: string): string[] {
  const [part, name = ''] = file.split('/')
  if (part !== 'features' && part !== 'shared') return [] // app, main.ts, router.ts
  return importsOf(file, text).flatMap((path) => {
    const [toPart, toName = ''] = path.split('/')
    const allowed =
      toPart === 'shared' ||
      (part === 'features' && toPart === 'features' && (toName === name || edges[name]?.includes(toName))) ||
      (messages.test(file) && ofMessages.test(path))
    return allowed ? [] : [`${file} imports ${path}`]
  })
}

const sources = new Map(files(src).map((file) => [file, readFileSync(join(src, file), 'utf8')]))

test('features and shared import what they may', () => {
  expect([...sources].flatMap(([file, text]) => faultsOf(file, text))).toEqual([])
})

test('the list is of the features that there are, and of edges that are in use', () => {
  expect(Object.keys(edges).sort()).toEqual(readdirSync(join(src, 'features')).sort())
  const used = new Set([...sources].flatMap(([file, text]) => importsOf(file, text).map((path) => `${file.split('/').slice(0, 2).join('/')} ${path.split('/').slice(0, 2).join('/')}`)))
  for (const [from, all] of Object.entries(edges)) for (const to of all) expect(used, `${from} does not import ${to}`).toContain(`features/${from} features/${to}`)
})

test('the list has no circle', () => {
  const above = (name: string, seen: string[]): string[] => (seen.includes(name) ? [...seen, name] : (edges[name] ?? []).flatMap((next) => above(next, [...seen, name])))
  for (const name of Object.keys(edges)) expect(above(name, [])).toEqual([])
})

test('an import that is not allowed is found, however it is written', () => {
  const bad = "import { a } from '@/features/map/a'"
  expect(faultsOf('shared/ui/x.ts', bad)).toHaveLength(1)
  expect(faultsOf('features/alerts/x.vue', bad)).toHaveLength(1)
  expect(faultsOf('features/phone/x.ts', bad)).toEqual([])
  expect(faultsOf('features/alerts/x.ts', "import type { A } from '../map/a'")).toHaveLength(1)
  expect(faultsOf('features/alerts/x.ts', "const a = () => import('@/features/map/a.vue')")).toHaveLength(1)
  expect(faultsOf('features/alerts/x.ts', "import '@/app/x.css'")).toHaveLength(1)
  expect(faultsOf('features/alerts/x.ts', "export * from '@/router'")).toHaveLength(1)
  expect(faultsOf('features/alerts/x.vue', '<style scoped src="../map/command.css"></style>')).toHaveLength(1)
  expect(faultsOf('shared/i18n/zh.ts', "import map from '@/features/map/i18n/zh'")).toEqual([])
  expect(faultsOf('shared/i18n/zh.ts', "import map from '@/features/map/map'")).toHaveLength(1)
})

/** Which room the messages of a first name are of, as 'alarm' of features/alerts. */
const owners = new Map(
  [...sources.keys()]
    .filter((file) => /\/i18n\/zh\.ts$/.test(file) && file !== 'shared/i18n/zh.ts')
    .flatMap((file) => [...sources.get(file)!.matchAll(/^ {2}(\w+):/gm)].map((m) => [m[1]!, file.split('/i18n/')[0]!] as const)),
)

test('a room shows its own messages, those that all share, and those of rooms that it may import', () => {
  const faults = [...sources].flatMap(([file, text]) => {
    const [part, name = ''] = file.split('/')
    if ((part !== 'features' && part !== 'shared') || file.includes('/i18n/')) return []
    const used = new Set([...text.matchAll(/\bt\(\s*['`](\w+)\./g)].map((m) => m[1]!))
    return [...used].flatMap((first) => {
      const owner = owners.get(first) ?? 'shared'
      const allowed = owner.startsWith('shared') || owner === `${part}/${name}` || (part === 'features' && edges[name]?.some((other) => owner === `features/${other}`))
      return allowed ? [] : [`${file} shows ${first} of ${owner}`]
    })
  })
  expect(owners.size).toBeGreaterThan(30)
  expect(faults).toEqual([])
})
