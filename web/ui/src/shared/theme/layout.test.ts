import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const src = join(__dirname, '../..')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => !file.includes('.test.'))
const read = (file: string) => readFileSync(join(src, file), 'utf8')

/** What a component says outside its styles, and its scoped styles. */
function parts(file: string): { said: string; css: string } {
  const text = read(file)
  const blocks = [...text.matchAll(/<style scoped(?: src="([^"]+)")?>([^]*?)<\/style>/g)]
  return { said: text.replace(/<style[^]*?<\/style>/g, ''), css: blocks.map(([, from, own]) => (from ? read(join(dirname(file), from)) : own)).join('\n') }
}

const components = files.filter((file) => file.endsWith('.vue')).map((file) => ({ file, ...parts(file) }))
const scripts = files.filter((file) => file.endsWith('.ts')).map(read).join('\n')
const withoutComments = (css: string) => css.replace(/\/\*[^]*?\*\//g, '')
const selectors = (css: string) => [...withoutComments(css).matchAll(/([^{}]+)\{/g)].map((m) => m[1]!).filter((s) => !s.trim().startsWith('@'))
/** The classes that a style has rules for. What :deep and :global name belongs to other components. */
const classes = (css: string) => new Set(selectors(css).flatMap((s) => [...s.replace(/:(deep|global)\([^]*?\)(?=[\s,]|$)/g, '').matchAll(/\.([a-z][\w-]*)/g)].map((m) => m[1]!)))
const word = (name: string) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`)

const layout = read('shared/theme/layout.css')
const vocabulary = [...classes(layout)]

test('every word of layout is used, and the list at the top of the file names it', () => {
  expect(vocabulary.length).toBeGreaterThan(20)
  const said = components.map((c) => c.said).join('\n')
  expect(vocabulary.filter((name) => !word(name).test(said))).toEqual([])
  const top = layout.slice(0, layout.indexOf('*/')).replace(/(om-[a-z]+-)(\d) to om-[a-z]+-(\d)/g, (_, stem: string, from: string, to: string) => {
    return Array.from({ length: Number(to) - Number(from) + 1 }, (__, i) => `${stem}${Number(from) + i}`).join(' ')
  })
  expect(new Set(top.match(/om-[\w-]+/g))).toEqual(new Set(vocabulary))
})

test('a component has no rule for a class that it does not use', () => {
  expect(classes('.a > .b:hover, .c :deep(.d) .e { color: var(--x) } @media print { .f { top: 0.5em } }')).toEqual(new Set(['a', 'b', 'c', 'e', 'f']))
  // A class may be made of a word and a number, or come from a script: the swatches of the legend do both.
  const used = (name: string, said: string) => word(name).test(said) || said.includes(name.replace(/\d+$/, '${')) || scripts.includes(`'${name}'`)
  expect(components.flatMap(({ file, said, css }) => [...classes(css)].filter((name) => !used(name, said)).map((name) => `${file}: .${name}`))).toEqual([])
})
