import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { media, withMedia } from './breakpoints'

const src = join(__dirname, '../..')

/** All styles of the page: the files, and the style blocks of the components. */
function styles(dir: string): [file: string, css: string][] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return styles(path)
    if (entry.name.endsWith('.css') && entry.name !== 'sizes.css') return [[path, readFileSync(path, 'utf8')]]
    if (!entry.name.endsWith('.vue')) return []
    return [...readFileSync(path, 'utf8').matchAll(/<style[^>]*>([^]*?)<\/style>/g)].map((m) => [path, m[1]!])
  })
}

const all = styles(src)
const tokens = new Map([...readFileSync(join(__dirname, 'sizes.css'), 'utf8').matchAll(/--om-(space|type|radius)-[\w-]+: (\d+px);/g)].map((m) => [`${m[1]} ${m[2]}`, m[0]!.split(':')[0]!]))

/** The kind of token that a property takes. */
function kindOf(property: string): string {
  if (/^(padding|margin)(-|$)|^((row|column)-)?gap$/.test(property)) return 'space'
  if (property === 'font-size') return 'type'
  return /^border(-\w+)*-radius$/.test(property) ? 'radius' : ''
}

/** Sizes that are written as a number although a token has it. */
function bare(css: string): string[] {
  return [...css.matchAll(/([a-z-]+):([^;{}]*);/g)].flatMap(([text, property, value]) =>
    [...value!.matchAll(/(?<![\w.-])\d+px/g)].filter(([px]) => tokens.has(`${kindOf(property!)} ${px}`)).map(() => text),
  )
}

test('a size that has a token is written by its token', () => {
  expect(bare('a { gap: 8px; }')).toEqual(['gap: 8px;'])
  expect(bare('a { padding: 1px var(--om-space-4); width: 8px; margin: 0 calc(100% - 12px); }')).toEqual(['margin: 0 calc(100% - 12px);'])
  expect(bare('a { font-size: 12px; border-top-left-radius: 4px; }')).toHaveLength(2)
  expect(all.length).toBeGreaterThan(60)
  expect(all.flatMap(([file, css]) => bare(css).map((text) => `${file}: ${text}`))).toEqual([])
})

test('every token of a size that is used exists', () => {
  const names = new Set(tokens.values())
  const used = all.flatMap(([, css]) => [...css.matchAll(/var\((--om-(?:space|type|radius)-[\w-]+)/g)].map((m) => m[1]!))
  expect(used.length).toBeGreaterThan(300)
  expect(used.filter((name) => !names.has(name))).toEqual([])
})

test('the width of a breakpoint is written once', () => {
  const conditions = Object.values(media) as string[]
  expect(all.filter(([, css]) => conditions.some((condition) => css.includes(condition))).map(([file]) => file)).toEqual([])
  expect(() => all.map(([, css]) => withMedia(css))).not.toThrow()
})

test('a media query gets the condition of its breakpoint, and an unknown one is refused', () => {
  expect(withMedia('@media (--narrow) { a {} }')).toBe('@media (max-width: 760px) { a {} }')
  expect(withMedia('@media print and (--wall) { a {} }')).toBe('@media print and (min-width: 2400px) { a {} }')
  expect(withMedia('a { color: var(--narrow) }')).toBe('a { color: var(--narrow) }')
  expect(() => withMedia('@media (--nosuch) { a {} }')).toThrow('nosuch')
})
