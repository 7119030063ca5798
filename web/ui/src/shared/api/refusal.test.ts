import { afterEach, expect, test } from 'vitest'
import { ApiError } from './client'
import zh from '@/shared/i18n/zh'
import { setLanguage } from '@/shared/i18n'
import { failureReason, refusalText } from './refusal'

afterEach(() => setLanguage('zh'))

const statuses = [0, 400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 502, 503, 504, -1]

test('no refusal in Chinese has a Latin letter, whatever the server says in English', () => {
  for (const status of statuses) {
    for (const code of [undefined, 'of-tomorrow', 'login-taken', 'required']) {
      const error = new ApiError(status, { status, title: 'Conflict', detail: 'an alert that is new cannot take close', code })
      expect(refusalText(error), `${status} ${code}`).not.toMatch(/[A-Za-z]/)
      expect(failureReason(error), `${status} ${code}`).not.toMatch(/[A-Za-z]/)
    }
  }
  for (const thrown of [new Error('boom'), 'boom', undefined]) expect(refusalText(thrown)).not.toMatch(/[A-Za-z]/)
})

test('nor has a sentence of a code, but for what it is filled with and names of formats', () => {
  for (const [code, sentence] of Object.entries(zh.fault)) {
    if (!/^(role|alert|step|shown|still|note|assignee|no-alert|no-assignee|bulk|silence)/.test(code)) continue
    expect(sentence.replace(/\{\w+\}/g, ''), code).not.toMatch(/[A-Za-z]/)
  }
})

test('not reached is not refused', () => {
  const away = new ApiError(0, { title: 'unreachable' })
  expect(refusalText(away)).toBe('没有连上服务器，没有确认任何更改。请重试。')
  setLanguage('en')
  expect(refusalText(away)).toContain('was not reached')
  expect(refusalText(away)).not.toContain('refused')
  expect(refusalText(new ApiError(409, { detail: 'it is closed' }))).toBe('The server refused: it is closed')
})
