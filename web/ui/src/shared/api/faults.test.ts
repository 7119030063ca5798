import { afterEach, expect, test } from 'vitest'
import type { Fault } from './types'
import { setLanguage, type Language } from '@/shared/i18n'
import { faultsText, sentence, stateText } from './faults'

afterEach(() => setLanguage('zh'))

const shown = (language: Language, ...args: Parameters<typeof faultsText>) => {
  setLanguage(language)
  return faultsText(...args)
}

test('faults are worded in the reader’s language, each with its field', () => {
  const faults: Fault[] = [
    { field: 'v.level', code: 'not-a-number', params: { found: 'string' } },
    { code: 'json-expected', params: { offset: '5', want: "'{'", found: '"e"' } },
    { code: 'more-faults', params: { n: '9' } },
  ]
  expect(shown('zh', faults, 'english')).toBe("v.level：应为数字，实为字符串；第 5 字节处应为 '{'，实为 \"e\"；另有 9 处")
  expect(shown('en', faults, 'english')).toBe("v.level: a string is not a number; offset 5: '{' expected, \"e\" found; and 9 more")
})

test('what has no code, or one that is not known here, is shown as the server wrote it', () => {
  expect(shown('zh', undefined, 'old row')).toBe('old row')
  expect(shown('zh', [], 'old row')).toBe('old row')
  expect(shown('zh', [{ code: 'required' }, { code: 'of-tomorrow' }], 'missing; odd')).toBe('missing; odd')
  expect(sentence({ code: '' })).toBeNull()
})

test('a value that looks like a message is a value', () => {
  expect(shown('en', [{ code: 'no-time', params: { value: '{limit} @:level.1 | x' } }], '')).toBe('{limit} @:level.1 | x is not an RFC 3339 time')
})

test('a row that stands for many leads to what is wrong with the first', () => {
  const many = [{ code: 'more-in-minute', params: { n: '340', bytes: '11521' } }, { code: 'not-empty' }, { code: 'required' }]
  expect(shown('zh', many, '')).toBe('本分钟另有 340 条，共 11521 字节，仅计数；首条：不能为空；必填')
  expect(shown('en', many, '')).toBe('340 more in this minute, 11521 bytes in all, which are only counted; of the first: must not be empty; is required')
})

test('the server’s own state is said in the reader’s language', () => {
  const said = { code: 'readings-unstored', params: { error: 'x' }, detail: 'readings cannot be stored: x' }
  setLanguage('zh')
  expect(stateText(said)).toBe('观测无法入库：x')
  expect(stateText({ ...said, code: 'of-tomorrow' })).toBe(said.detail)
  expect(stateText({})).toBe('')
})
