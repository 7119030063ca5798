import { expect, test } from 'vitest'
import { fromCityInput, toCityInput } from '@/shared/time/citytime'
import { anyAlert, badRange, isAny, queryOf, readHistory, writeHistory } from './historyfilter'

test('the link carries the whole filter and nothing that is at any', () => {
  const filter = { state: 'closed', from: '2026-11-20T00:00', to: '2026-11-21T08:30', level: '1', peak: '1,2', division: '370686', hazard: 'flood', device: 'yt-1', q: '栖霞' } as const
  expect(readHistory(writeHistory(filter))).toEqual(filter)
  expect(writeHistory(anyAlert)).toEqual({})
  expect(isAny(readHistory({}))).toBe(true)
})

test('what a link has wrong is left at any', () => {
  const odd = { state: 'gone', from: 'yesterday', to: ['2026-13-99T00:00', null], level: '0,5,x', peak: '9', division: "37'; drop", hazard: '../x', device: 'a b', q: 'a\u0000b\n' }
  expect(readHistory(odd)).toEqual({ ...anyAlert, q: 'ab' })
})

test('times of the form are the city’s, and the server gets UTC', () => {
  expect(queryOf({ ...anyAlert, from: '2026-11-20T00:00' })).toMatchObject({ state: 'all', from: '2026-11-19T16:00:00.000Z', to: undefined })
  expect(toCityInput(fromCityInput('2026-11-20T00:00')!)).toBe('2026-11-20T00:00')
  for (const no of ['', 'x', '2026-11-20', '2026-02-31T99:00']) expect(fromCityInput(no), no).toBeNull()
  expect(badRange({ ...anyAlert, from: '2026-11-20T00:00', to: '2026-11-20T00:00' })).toBe(true)
  expect(badRange({ ...anyAlert, from: '2026-11-20T00:00' })).toBe(false)
})
