import { expect, test } from 'vitest'
import { setLanguage } from '@/shared/i18n'
import { clockWords } from './deviceClock'

test('says how far a clock is off', () => {
  const week = 604_800
  const cases: [number, string, string][] = [
    [-1024 * week, '时钟慢 1,024 周', 'clock 1,024 weeks behind'],
    [-3600 * 30, '时钟慢 30 小时', 'clock 30 hours behind'],
    [-600, '时钟慢 10 分钟', 'clock 10 minutes behind'],
    [-59, '时钟慢 59 秒', 'clock 59 s behind'],
    [3 * 86_400, '时钟快 3 天', 'clock 3 days ahead'],
    [0, '', ''],
    [0.2, '', ''],
  ]
  for (const [offset, zh, en] of cases) {
    setLanguage('zh')
    expect(clockWords(offset)).toBe(zh)
    setLanguage('en')
    expect(clockWords(offset)).toBe(en)
  }
})
