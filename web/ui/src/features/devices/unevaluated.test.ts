import { expect, test } from 'vitest'
import type { Device } from '@/shared/api/types'
import { setLanguage } from '@/shared/i18n'
import { applyUnevaluated, unevaluatedEvent, unevaluatedWords } from './unevaluated'

const since = '2026-11-23T06:00:00Z'
const device = () => ({ id: 'D1', unevaluated: '', unevaluated_since: undefined }) as unknown as Device

test('an event marks a device, and the next one takes the mark away', () => {
  const all = new Map([['D1', device()]])
  const told = (reason: string) => unevaluatedEvent({ changes: [{ device: 'D1', reason, since }, { device: 'elsewhere', reason, since }], more: 0 })!
  expect(applyUnevaluated(all, told('late'))).toBe(true)
  expect(all.get('D1')).toMatchObject({ unevaluated: 'late', unevaluated_since: since })
  expect(unevaluatedWords(all.get('D1')!)).not.toBe('')
  applyUnevaluated(all, told(''))
  expect(all.get('D1')).toMatchObject({ unevaluated: '', unevaluated_since: undefined })
  expect(unevaluatedWords(all.get('D1')!)).toBe('')
})

test('an event that cannot be read is none', () => {
  for (const payload of [null, [], {}, { changes: {} }, { changes: [{ device: 1 }] }]) expect(unevaluatedEvent(payload)).toBeNull()
  expect(unevaluatedEvent({ changes: [], more: 4 })).toEqual({ changes: [], more: 4 })
})

test('each reason has its words in both languages, and a new one has the mark', () => {
  const words: [string, string, string][] = [
    ['late', '读数未参与研判：时间早于已有读数', 'readings not evaluated: their times are before the newest reading'],
    ['bad', '读数未参与研判：超出量程或缺测', 'readings not evaluated: out of range or missing'],
    ['quarantine', '读数未参与研判：报文无法识别，已隔离', 'readings not evaluated: they cannot be read and are in quarantine'],
    ['of a later server', '读数未参与研判', 'readings not evaluated'],
  ]
  for (const [reason, zh, en] of words) {
    setLanguage('zh')
    expect(unevaluatedWords({ unevaluated: reason })).toBe(zh)
    setLanguage('en')
    expect(unevaluatedWords({ unevaluated: reason })).toBe(en)
  }
})
