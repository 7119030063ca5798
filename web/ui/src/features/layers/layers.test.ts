import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { aLayer, text } from '@/shared/testing/fixtures'
import { aServer, refusal } from '@/shared/testing/server'
import { decodeSettings, encodeSettings, useLayers } from './layers'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

test('the link holds what differs from plain, in one order', () => {
  const settings = { b: { visible: true, opacity: 0.5 }, a: { visible: false, opacity: 0.7 }, c: { visible: true, opacity: 1 } }
  expect(encodeSettings(settings)).toBe('a:0,b:0.5')
  expect(decodeSettings('a:0,b:0.5')).toEqual({ a: { visible: false, opacity: 1 }, b: { visible: true, opacity: 0.5 } })
  expect(encodeSettings({})).toBe('')
})

test('what a link says that cannot be is left out', () => {
  for (const bad of ['', 'a', 'a:2', 'a:-1', 'a:0.123', 'A:1', 'a b:1', '1a:1', ':1', 'a:x']) expect(decodeSettings(bad), bad).toEqual({})
  expect(Object.keys(decodeSettings('a:x,@areas:0.25,land:1'))).toEqual(['@areas', 'land'])
})

const catalogue = { items: [aLayer('land', { theme: 'landform' }), aLayer('port', { theme: 'transport' })], themes: [{ code: 'transport', title: text('交通') }, { code: 'weather', title: text('气象') }] }

test('layers stand under their themes; a theme without layers is not there', async () => {
  aServer({ 'GET /api/v1/layers': catalogue, 'GET /api/v1/sources': { items: [], attribution: '甲' } })
  const store = useLayers()
  await store.load()
  expect(store.byTheme.map((t) => [t.code, t.layers.map((l) => l.name)])).toEqual([['transport', ['port']]])
  expect([store.loaded, store.error, store.attribution, store.get('land')?.name, store.get('x')]).toEqual([true, null, '甲', 'land', undefined])
})

test('a catalogue that cannot be fetched is an error, and a map without attribution is still a map', async () => {
  aServer({ 'GET /api/v1/layers': refusal(503) })
  const store = useLayers()
  await expect(store.load()).rejects.toThrow()
  expect([store.error?.status, store.loaded]).toEqual([503, false])
  aServer({ 'GET /api/v1/layers': catalogue, 'GET /api/v1/sources': refusal(500) })
  await store.load()
  expect([store.error, store.loaded, store.attribution]).toEqual([null, true, ''])
})

test('a switch and a slider change what they are of, and nothing else', () => {
  const store = useLayers()
  expect(store.setting('land')).toEqual({ visible: true, opacity: 1 })
  store.set('land', { visible: false })
  store.set('port', { opacity: 0.3 })
  expect([store.setting('land'), store.setting('port'), store.setting('urban')]).toEqual([{ visible: false, opacity: 1 }, { visible: true, opacity: 0.3 }, { visible: true, opacity: 1 }])
})
