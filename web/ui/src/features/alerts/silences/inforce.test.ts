import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { covers, inForce, silenceOf, type Coverage } from './inforce'

interface Case {
  name: string
  silence: Coverage
  alert: Parameters<typeof covers>[1]
  now: string
  covers: boolean
}
const table = JSON.parse(readFileSync(join(__dirname, '../../../../../../alerts/testdata/silences.json'), 'utf8')) as { cases: Case[] }

test('covers what the server says that it covers', () => {
  expect(table.cases.length).toBeGreaterThan(40)
  for (const c of table.cases) expect(covers(c.silence, c.alert, Date.parse(c.now)), c.name).toBe(c.covers)
})

const now = Date.parse('2026-11-28T03:00:00Z')
const alert = { device_id: 'a', property: 'water_level', division: '370602', level: 3 as const }
const silence: Coverage = { id: 1, device_id: 'a', type: '', division: '', level: 3, starts: '2026-11-28T02:00:00Z', ends: '2026-11-28T04:00:00Z' }

test('each member that is not empty narrows, and one that names nothing covers nothing', () => {
  expect(covers(silence, alert, now)).toBe(true)
  expect(covers({ ...silence, device_id: '' }, alert, now)).toBe(false)
  expect(covers({ ...silence, type: 'rain' }, alert, now)).toBe(false)
  expect(covers({ ...silence, device_id: '', division: '3706' }, alert, now)).toBe(true)
  expect(covers({ ...silence, device_id: '', division: '370611' }, alert, now)).toBe(false)
})

test('a silence is never over a worse level, and lasts from its start up to its end', () => {
  expect([1, 2, 3, 4].map((level) => covers(silence, { ...alert, level: level as 1 }, now))).toEqual([false, false, true, true])
  expect(inForce(silence, Date.parse(silence.starts))).toBe(true)
  expect(inForce(silence, Date.parse(silence.ends))).toBe(false)
  expect(inForce({ ...silence, ended_at: '2026-11-28T02:30:00Z' }, now)).toBe(false)
})

test('of several silences the one that ends last is named', () => {
  const later = { ...silence, id: 2, ends: '2026-11-28T05:00:00Z' }
  expect(silenceOf([silence, later], alert, now)?.id).toBe(2)
  expect(silenceOf([], alert, now)).toBeNull()
})
