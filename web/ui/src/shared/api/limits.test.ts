import { afterEach, expect, test } from 'vitest'
import { setLanguage } from '@/shared/i18n'
import { lengthOf, numberFault, numberOf, textFault } from './limits'
import { limits } from './limits.gen'

afterEach(() => setLanguage('zh'))

test('a text is held against its length in characters, and its pattern', () => {
  expect(textFault({ minLength: 1, maxLength: 3 }, '')).toBe('必填')
  expect(textFault({ maxLength: 3 }, '')).toBe('')
  expect(textFault({ required: true }, '')).toBe('必填')
  expect(textFault({ minLength: 1, maxLength: 3 }, '甲乙丙')).toBe('')
  expect(textFault({ minLength: 1, maxLength: 3 }, '𠀀𠀁𠀂')).toBe('') // characters beyond the BMP count once
  expect(textFault({ minLength: 1, maxLength: 3 }, '甲乙丙丁')).toBe('超过 3 个字')
  expect(textFault({ minLength: 10 }, 'short')).toBe('至少 10 个字符')
  expect(textFault({ pattern: '^[a-z]+$' }, 'A')).toBe('格式不符合要求')
  expect(textFault({ pattern: '^[a-z]+$' }, 'A', 'login-shape')).toContain('2 至 64')
})

test('a typed number is held against its range; an empty one is none', () => {
  const seconds = { integer: true, minimum: 0, maximum: 60 }
  expect(['0', ' 60 ', 7, ''].map((typed) => numberFault(seconds, typed))).toEqual(['', '', '', ''])
  expect(['61', '-1', '1.5', 'x', '1e999'].map((typed) => numberFault(seconds, typed))).toEqual(['61 不在 0 至 60 之间', '-1 不在 0 至 60 之间', '应为整数', '应为有限的数字', '应为有限的数字'])
  expect(numberFault({ ...seconds, required: true }, ' ')).toBe('必填')
  expect(numberFault({ minimum: 0 }, '-1')).toBe('格式不符合要求')
  setLanguage('en')
  expect(numberFault(seconds, '61')).toBe('61 is outside 0 to 60')
  expect(numberFault(seconds, '1.5')).toBe('A whole number')
})

test('a number is a number, an empty field is none', () => {
  expect([' 1.5 ', '-2', '1e3', 7].map(numberOf)).toEqual([1.5, -2, 1000, 7])
  expect(['', ' ', '1,5', 'Infinityx'].map((s) => Number.isNaN(numberOf(s)))).toEqual([true, true, true, true])
})

test('an input keeps what is typed within its length', () => {
  expect(lengthOf({ maxLength: 5 })).toEqual({ maxlength: 5 })
  expect(lengthOf({})).toEqual({})
})

test('the limits are those of the schema, for the server’s own examples', () => {
  expect(textFault(limits.NewAccount.user, 'r370602')).toBe('')
  expect(textFault(limits.NewAccount.user, 'R 1', 'login-shape')).not.toBe('')
  expect(textFault(limits.NewAccount.password, 'short')).toBe('至少 10 个字符')
  for (const code of ['37', '3706', '370602', '370602001', '370602001001']) expect(textFault(limits.NewAccount.division, code), code).toBe('')
  for (const code of ['3', '37060', 'x']) expect(textFault(limits.NewAccount.division, code), code).not.toBe('')
  expect(numberFault(limits.DatastreamChange.interval_s, '604801')).toContain('604800')
  expect(numberFault(limits.RuleInput.for_seconds, '86400')).toBe('')
})
