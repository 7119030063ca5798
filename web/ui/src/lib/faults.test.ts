import { afterEach, expect, test } from 'vitest'
import type { Fault } from '../api/types'
import { setLanguage, type Language } from '../i18n'
import { faultsText, sentence } from './faults'

afterEach(() => setLanguage('zh'))

const shown = (language: Language, ...args: Parameters<typeof faultsText>) => {
  setLanguage(language)
  return faultsText(...args)
}

test('faults are worded in the reader’s language, each with its field', () => {
  const faults: Fault[] = [
    { field: 'v.level', code: 'not-number', params: { found: 'string' } },
    { code: 'json-expected', params: { offset: '5', want: "'{'", found: '"e"' } },
    { code: 'more-faults', params: { n: '9' } },
  ]
  expect(shown('zh', faults, 'english')).toBe("v.level：是字符串，不是数字；第 5 字节处应为 '{'，实为 \"e\"；另有 9 处")
  expect(shown('en', faults, 'english')).toBe("v.level: a string, not a number; offset 5: '{' expected, \"e\" found; and 9 more")
})

test('what has no code, or one that is not known here, is shown as the server wrote it', () => {
  expect(shown('zh', undefined, 'old row')).toBe('old row')
  expect(shown('zh', [], 'old row')).toBe('old row')
  expect(shown('zh', [{ code: 'missing' }, { code: 'of-tomorrow' }], 'missing; odd')).toBe('missing; odd')
  expect(sentence({ code: '' })).toBeNull()
})

test('a value that looks like a message is a value', () => {
  expect(shown('en', [{ code: 'no-time', params: { value: '{limit} @:level.1 | x' } }], '')).toBe('{limit} @:level.1 | x is not an RFC 3339 time')
})
