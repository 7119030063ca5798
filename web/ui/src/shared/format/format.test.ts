import { beforeEach, expect, test } from 'vitest'
import { setLanguage } from '@/shared/i18n'
import { axisTime, byteSize, clockDate, clockTime, coordinates, dateOnly, exactTime, fieldValue, measured, milliseconds, rate, relativeTime, span, timeLeft, until } from './format'

const now = Date.parse('2026-11-23T06:00:00Z')
beforeEach(() => setLanguage('zh'))

test('times are said as people say them, in both languages', () => {
  const cases: [number, string, string][] = [
    [0, '刚刚', 'just now'],
    [1.4, '刚刚', 'just now'],
    [2, '2 秒前', '2 s ago'],
    [59, '59 秒前', '59 s ago'],
    [61, '1 分钟前', '1 min ago'],
    [3_600, '1 小时前', '1 h ago'],
    [47 * 3600, '47 小时前', '47 h ago'],
    [3 * 86_400, '3 天前', '3 d ago'],
    [-45, '45 秒后', 'in 45 s'],
    [-80, '1 分钟后', 'in 1 min'],
    [-110, '2 分钟后', 'in 2 min'],
    [-7140, '1 小时 59 分后', 'in 1 h 59 min'],
    [-7199, '2 小时后', 'in 2 h'],
    [-50 * 3600, '2 天 2 小时后', 'in 2 d 2 h'],
    [-59.7, '1 分钟后', 'in 1 min'],
  ]
  for (const [ago, zh, en] of cases) {
    setLanguage('zh')
    expect(relativeTime(now - ago * 1000, now)).toBe(zh)
    setLanguage('en')
    expect(relativeTime(now - ago * 1000, now)).toBe(en)
  }
})

test('the end of something is a clock time with what is left of it', () => {
  const cases: [number, string, string][] = [
    [2, '14:00（还有 2 秒）', '14:00 (2 s left)'],
    [119 * 60, '15:59（还有 1 小时 59 分）', '15:59 (1 h 59 min left)'],
    [11 * 3600, '11-24 01:00（还有 11 小时）', '11-24 01:00 (11 h left)'],
    [7 * 86_400, '11-30 14:00（还有 7 天）', '11-30 14:00 (7 d left)'],
    [40 * 86_400, '2027-01-02 14:00（还有 40 天）', '2027-01-02 14:00 (40 d left)'],
    [-60, '13:59（已过）', '13:59 (over)'],
  ]
  for (const [ahead, zh, en] of cases) {
    setLanguage('zh')
    expect(until(now + ahead * 1000, now)).toBe(zh)
    setLanguage('en')
    expect(until(now + ahead * 1000, now)).toBe(en)
  }
  expect(until(null, now)).toBe('–')
})

test('no time is "never", and not 1970', () => {
  for (const nothing of [null, undefined, 'soon']) {
    expect(relativeTime(nothing, now)).toBe('从未')
    expect(exactTime(nothing)).toBe('–')
  }
})

test('exact times are in the city’s zone whatever the machine’s is', () => {
  expect(exactTime('2026-11-23T16:30:05Z')).toBe('2026-11-24 00:30:05')
  expect(clockTime(Date.parse('2026-11-23T16:30:05Z'))).toBe('00:30:05')
})

test('a value carries its unit and its type’s decimals', () => {
  expect(measured(4.8, 'm', 2)).toBe('4.80 m')
  expect(measured(12345.678, '')).toBe('12,345.678')
})

test('coordinates are lon before lat', () => {
  expect(coordinates(121.39144, -37.5)).toBe('121.3914° E, 37.5000° S')
})

test('fields of any shape are shown', () => {
  expect(fieldValue(3, 't')).toBe('3 t')
  expect(fieldValue(0.1234567, 'm')).toBe('0.1234567 m')
  expect(fieldValue(-1e-7)).toBe('-0.0000001')
  expect(fieldValue('370602199001011238')).toBe('370602199001011238')
  expect(fieldValue(true)).toBe('是')
  expect(fieldValue(null)).toBe('–')
  expect(fieldValue({ zh: '甲', en: 'A' })).toBe('甲')
  expect(fieldValue([1])).toBe('[1]')
})

test('sizes and spans are short', () => {
  expect([0, 1023, 1024, 1_500_000, 268_435_456, 5 * 1024 ** 4].map(byteSize)).toEqual(['0 B', '1,023 B', '1 KiB', '1.43 MiB', '256 MiB', '5 TiB'])
  expect([0, 0.0004, 0.012, 0.8, 12.34, 600, 7200].map(span)).toEqual(['0 ms', '1 ms', '12 ms', '0.8 s', '12 s', '10 分钟', '2 小时'])
})

test('the city’s day begins at 16:00 UTC, in summer as in winter', () => {
  expect(exactTime('2026-07-01T15:59:59Z')).toBe('2026-07-01 23:59:59')
  expect(exactTime('2026-07-01T16:00:00Z')).toBe('2026-07-02 00:00:00')
  expect(exactTime('2026-12-31T16:00:00Z')).toBe('2027-01-01 00:00:00')
  expect([dateOnly('2026-12-31T16:00:00Z'), dateOnly(null), clockTime(Date.parse('2026-12-31T16:00:00Z'))]).toEqual(['2027-01-01', '–', '00:00:00'])
  expect(exactTime(0)).toBe('1970-01-01 08:00:00')
})

test('until midnight is today, midnight is not', () => {
  const late = Date.parse('2026-11-23T15:50:00Z') // 23:50 in the city
  expect(until(late + 9 * 60_000, late)).toBe('23:59（还有 9 分钟）')
  expect(until(late + 10 * 60_000, late)).toBe('11-24 00:00（还有 10 分钟）')
  const lastDay = Date.parse('2026-12-31T15:50:00Z')
  expect(until(lastDay + 10 * 60_000, lastDay)).toBe('2027-01-01 00:00（还有 10 分钟）')
})

test('what is left of a time never rounds to a unit that is full', () => {
  const cases: [ms: number, zh: string][] = [
    [-5, '0 秒'], [59_400, '59 秒'], [59_500, '1 分钟'], [59.6 * 60_000, '1 小时'], [119.6 * 60_000, '2 小时'], [47.6 * 3_600_000, '2 天'], [71.6 * 3_600_000, '3 天'],
  ]
  for (const [ms, zh] of cases) expect(timeLeft(ms), String(ms)).toBe(zh)
})

test('an axis has hours, or days where it is longer than two', () => {
  const ms = Date.parse('2026-11-23T16:30:00Z')
  expect([axisTime(ms), axisTime(ms, 48 * 3_600_000), axisTime(ms, 49 * 3_600_000)]).toEqual(['00:30', '00:30', '11/24'])
  expect(clockDate(ms)).toMatch(/^11月24日.*周二$/)
  setLanguage('en')
  expect(clockDate(ms)).toMatch(/Tue.*24.*Nov/)
})

test('rates and short times have as many digits as they need', () => {
  expect([null, 0, 0.04, 0.25, 12.34, 99.95, 1834.2].map(rate)).toEqual(['–', '0', '0', '0.3', '12.3', '100', '1,834'])
  expect([0, 0.04, 0.44, 9.94, 9.96, 850, 2500].map(milliseconds)).toEqual(['0 ms', '0 ms', '0.4 ms', '9.9 ms', '10 ms', '0.85 s', '2.5 s'])
})

test('a half-known text is said in the language that there is', () => {
  setLanguage('en')
  expect([fieldValue({ zh: '甲', en: '' }), fieldValue({ en: 'A' }), fieldValue(false), fieldValue('')]).toEqual(['甲', 'A', 'no', '–'])
})
