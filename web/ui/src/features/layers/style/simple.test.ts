import { expect, test } from 'vitest'
import { styleFaults } from './check'
import type { LayerStyle } from './fragment'
import { previewOf } from './preview'
import { colours, kindOf, plainStyle, pointIcons, simpleFragment, simpleOf, sortedJSON, type Kind, type SimpleStyle } from './simple'
import { tokens } from '@/shared/theme/tokens'

const title = { zh: '塘坝', en: 'Ponds' }
const kinds: Kind[] = ['point', 'line', 'area']
/** As the server gives it back: its members sorted. */
const stored = (style: LayerStyle) => JSON.parse(sortedJSON(style)) as LayerStyle

const choices: [string, SimpleStyle][] = kinds.flatMap((kind) => {
  const plain = plainStyle(kind, title)
  const over: Partial<SimpleStyle>[] = [
    {}, ...colours.map((colour) => ({ colour })), { label: !plain.label },
    ...(kind === 'point' ? [...pointIcons.map((icon) => ({ icon })), ...Array.from({ length: 15 }, (_, i) => ({ icon: pointIcons[0], size: i + 2 })), { size: 16 }] : []),
    ...(kind === 'line' ? [{ dashed: true }, { width: 0.5 }, { width: 12 }] : []),
    ...(kind === 'area' ? [{ outline: '' as const }, { outline: 'level' as const }, { opacity: 0 }, { opacity: 29 }, { opacity: 100 }] : []),
    { text: { zh: '别的', en: '' } },
  ]
  return over.map((o): [string, SimpleStyle] => [`${kind} ${JSON.stringify(o)}`, { ...plain, ...o }])
})

test.each(choices)('%s is found again in its fragment, and drawn', (_, choice) => {
  const fragment = simpleFragment(choice)
  const found = simpleOf(stored(fragment), choice.kind, title)
  expect(found && sortedJSON(simpleFragment(found))).toBe(sortedJSON(fragment))
  if (choice.colour !== 'level') expect(found).toEqual({ ...choice, ...(choice.icon ? { colour: found!.colour } : {}) })
  expect(styleFaults(fragment)).toEqual([])
})

test('what the form did not make it does not take for its own', () => {
  const own = simpleFragment(plainStyle('area', title))
  expect(simpleOf({ ...own, from: 9 }, 'area', title)).toBeUndefined()
  expect(simpleOf({ ...own, layers: [...own.layers].reverse() }, 'area', title)).toBeUndefined()
  expect(simpleOf(own, 'line', title)).toBeUndefined()
  expect(simpleOf({ layers: [] }, 'point', title)).toBeUndefined()
})

test('a kind follows the geometry; of mixed ones the form can say nothing', () => {
  expect(['Point', 'MultiPoint', 'LineString', 'MultiPolygon', 'Geometry', ''].map(kindOf)).toEqual(['point', 'point', 'line', 'area', undefined, undefined])
})

test('a picture of a fragment: its icon, or its first colours', () => {
  const area = { ...plainStyle('area', title), colour: 'level' as const, outline: 'coast' as const, opacity: 40 }
  expect(previewOf(simpleFragment(area), 'dark').sample).toEqual({ form: 'area', fill: tokens.dark.levels[1], fillOpacity: 0.4, stroke: tokens.dark.coast, width: 1.4, dashed: false })
  expect(previewOf(simpleFragment({ ...plainStyle('line', title), dashed: true }), 'light').sample).toEqual({ form: 'line', stroke: tokens.light.accent, width: 2, dashed: true })
  expect(previewOf(simpleFragment(plainStyle('point', title)), 'light').sample).toMatchObject({ form: 'circle', fill: tokens.light.accent, stroke: tokens.light.halo })
  expect(previewOf(simpleFragment({ ...plainStyle('point', title), icon: 'res:port' }), 'light')).toEqual({ icon: 'om:light:res:port' })
  expect(previewOf({ layers: [] }, 'light')).toEqual({})
})
