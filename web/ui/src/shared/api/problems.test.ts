import { afterEach, expect, test } from 'vitest'
import { ApiError } from './client'
import { setLanguage } from '@/shared/i18n'
import { fieldFaults, onlyFieldText, problemText, standsAtFields } from './problems'

afterEach(() => setLanguage('zh'))

const short = new ApiError(400, { status: 400, field: 'password', detail: 'must be at least 10 characters', code: 'password-short', params: { limit: '10' } })
const several = new ApiError(400, {
  status: 400,
  errors: [
    { field: 'thresholds[1].level', detail: 'red stands twice', code: 'level-twice', params: { level: 'red' } },
    { field: 'x', detail: 'is odd' },
  ],
})

test('a refused field is worded in the reader’s language', () => {
  expect(fieldFaults(short).get('password')).toBe('至少 10 个字符')
  expect(problemText(several)).toBe('没有成功：thresholds[1].level：红色出现了两次；x：is odd')
  setLanguage('en')
  expect(fieldFaults(short).get('password')).toBe('must be at least 10 characters')
  expect(problemText(several)).toContain('thresholds[1].level: red stands twice; x: is odd')
})

test('so is what is refused as a whole, and what has no code is the server’s English', () => {
  const taken = { status: 409, field: 'user', detail: 'this login is taken' }
  expect(problemText(new ApiError(409, { ...taken, code: 'login-taken' }))).toBe('没有成功：此用户名已被使用')
  expect(problemText(new ApiError(409, { ...taken, code: 'of-tomorrow' }))).toBe('没有成功：this login is taken')
  expect(problemText(new ApiError(409, taken))).toBe('没有成功：this login is taken')
})

test('a field that is named with any refusal has its words, and the form says the rest once', () => {
  const taken = new ApiError(409, { status: 409, field: 'user', detail: 'this login is taken', code: 'login-taken' })
  expect(fieldFaults(taken).get('user')).toBe('此用户名已被使用')
  expect(standsAtFields(taken, (f) => f === 'user')).toBe(true)
  expect(standsAtFields(several, (f) => f === 'x')).toBe(false)
  expect(standsAtFields(new ApiError(0, { title: 'unreachable' }), () => true)).toBe(false)
  expect(onlyFieldText(short)).toBe('至少 10 个字符')
  expect(onlyFieldText(new ApiError(0, { title: 'unreachable' }))).toContain('无法连接')
})
