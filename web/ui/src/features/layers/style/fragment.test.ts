import { expect, test } from 'vitest'
import { limits } from '@/shared/api/limits.gen'
import { parseIcon } from '@/shared/map/icons'
import { tokens } from '@/shared/theme/tokens'
import { colourOf, legendOf, slots, tokenNames, type LayerStyle } from './fragment'

test('the server knows the colours of the themes, all of them and no others', () => {
  const all = Object.entries(tokens.dark).flatMap(([name, value]) => (typeof value === 'string' ? [name] : value.map((_: string, i: number) => `${name}.${i}`)))
  expect([...tokenNames].sort()).toEqual(all.sort())
  for (const name of tokenNames) for (const theme of [tokens.dark, tokens.light]) expect(colourOf(theme, name), name).toMatch(/^(#|rgba)/)
})

test('the map draws the icons that the server takes', () => {
  for (const icon of limits.LegendRow.icon.enum) expect(parseIcon(`om:dark:${icon}`), icon).not.toBeNull()
  expect(limits.LegendRow.icon.enum).toContain('risk') // completed by the level in a row of levels
})

test('the slots are those of the server, the lowest first', () => {
  expect(slots[0]).toBe('ground')
  expect(slots.at(-1)).toBe('titles')
})

test('the legend of a fragment: samples in the colours of the theme, icons, texts in both languages', () => {
  const text = { zh: '塘坝', en: 'Ponds' }
  const style: LayerStyle = {
    legend: [{ swatch: 'fill', color: 'water', outline: 'coast', text }, { swatch: 'dashed', color: 'levels.1', text }, { icon: 'res:port', text }, { note: text }],
    layers: [],
  }
  const { light } = tokens
  expect(legendOf(style, 'light')).toEqual({
    rows: [
      { sample: { form: 'area', fill: light.water, stroke: light.coast, width: 1.5 }, text },
      { sample: { form: 'line', stroke: light.levels[1], width: 1.5, dashed: true }, text },
      { icon: 'om:light:res:port', text },
    ],
    notes: [text],
  })
})
