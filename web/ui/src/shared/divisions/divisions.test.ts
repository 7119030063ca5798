import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { text } from '@/shared/testing/fixtures'
import { aServer, refusal } from '@/shared/testing/server'
import { useDivisions } from './divisions'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

const division = (code: string, zh: string, over: object = {}) => ({ code, name: text(zh), parent: code.slice(0, 4), lon: 0, lat: 0, ...over })

test('a code has its name, a town’s that of its county, and one that is not known none', async () => {
  aServer({ 'GET /api/v1/divisions': { items: [division('370602', '芝罘区'), division('3706', '烟台市')] } })
  const store = useDivisions()
  await store.load()
  expect([store.name('370602'), store.name('370602001'), store.name('3706'), store.name('370699')]).toEqual(['芝罘区', '芝罘区', '烟台市', ''])
})

test('counties are those of today', async () => {
  aServer({ 'GET /api/v1/divisions': { items: [division('370602', '芝罘区'), division('370684', '蓬莱市', { valid_to: '2020-06-05' }), division('3706', '烟台市')] } })
  const store = useDivisions()
  await store.load()
  expect(store.counties.map((d) => d.code)).toEqual(['370602'])
  expect(store.name('370684')).toBe('蓬莱市')
})

test('names are asked for once, and again after a failure', async () => {
  const failing = aServer({ 'GET /api/v1/divisions': refusal(503) })
  const store = useDivisions()
  await store.load()
  expect([failing.length, store.counties.length]).toEqual([1, 0])
  const calls = aServer({ 'GET /api/v1/divisions': { items: [division('370602', '芝罘区')] } })
  await Promise.all([store.load(), store.load()])
  await store.load()
  expect([calls.length, store.counties.length]).toEqual([1, 1])
})
