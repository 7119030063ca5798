import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { aRule } from '@/shared/testing/fixtures'
import { aServer, refusal } from '@/shared/testing/server'
import { bandsOf, rulesFor, useRules } from './rules'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

test('a datastream’s own rule takes the place of its type’s, unless it is switched off', () => {
  const type = aRule({ id: 1 })
  const other = aRule({ id: 2, datastream_type: 'rain' })
  const own = aRule({ id: 3, datastream_id: 9 })
  const ids = (...rules: typeof type[]) => rulesFor(rules, { id: 9, type: 'water_level' }).map((r) => r.id)
  expect(ids(type, other, own)).toEqual([3])
  expect(ids(type, other, { ...own, enabled: false })).toEqual([1])
  expect(ids({ ...type, enabled: false }, other)).toEqual([])
  expect(rulesFor([own], { id: 8, type: 'water_level' })).toEqual([])
})

test('each level is coloured from its raise value to the next worse one’s, the worst without end', () => {
  const thresholds = [{ level: 3 as const, raise: 2, clear: 1.5 }, { level: 1 as const, raise: 4, clear: 3 }]
  expect(bandsOf(aRule({ thresholds }))).toEqual([{ level: 1, from: 4, to: Infinity }, { level: 3, from: 2, to: 4 }])
  expect(bandsOf(aRule({ direction: 'below', thresholds: [{ level: 1, raise: 1, clear: 2 }, { level: 2, raise: 3, clear: 4 }] }))).toEqual([
    { level: 1, from: -Infinity, to: 1 },
    { level: 2, from: 1, to: 3 },
  ])
  expect(bandsOf(aRule({ thresholds: [] }))).toEqual([])
})

test('the rules are fetched once, again when it is demanded, and again after a failure', async () => {
  const calls = aServer({ 'GET /api/v1/rules': { items: [aRule()] } })
  const store = useRules()
  await Promise.all([store.load(), store.load()])
  expect([calls.length, store.items.length]).toEqual([1, 1])
  await store.load(true)
  expect(calls).toHaveLength(2)
  const failing = aServer({ 'GET /api/v1/rules': refusal(503) })
  await store.load(true)
  await store.load()
  expect([failing.length, store.items.length]).toEqual([2, 1])
})
