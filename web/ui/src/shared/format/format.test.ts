import { beforeEach, expect, test } from 'vitest'
import { setLanguage } from '@/shared/i18n'
import { byteSize, clockTime, coordinates, exactTime, fieldValue, measured, relativeTime, span, until } from './format'

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
