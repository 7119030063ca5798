import { expect, test } from 'vitest'
import { parseExact } from './exactjson'

test('no digit of a number is lost', () => {
  expect(parseExact('{"account":370602199001011238,"long":0.12345678901234567890,"list":[-9007199254740993]}')).toEqual({
    account: '370602199001011238',
    long: '0.12345678901234567890',
    list: ['-9007199254740993'],
  })
})

test('what JavaScript would write otherwise is a text', () => {
  expect(parseExact('[1e400,-1E400,1e-400,1.10,-0,0.1000000000000000055,9007199254740993,1e3,{"a":[12345678901234567890]}]')).toEqual([
    '1e400', '-1E400', '1e-400', '1.10', '-0', '0.1000000000000000055', '9007199254740993', '1e3', { a: ['12345678901234567890'] },
  ])
})

test('other numbers are numbers, and what looks like one in a text is left alone', () => {
  const text = '{"a":1.5,"b":-0.000001,"c":1e-7,"d":121.390000000001,"xy":[121.39000000000001,37.540000000000006],"e":"370602199001011238","f\\"370602199001011238":"\\\\","g":[],"h":null,"i":true}'
  expect(parseExact(text)).toEqual(JSON.parse(text))
})

test('what is no JSON is refused', () => {
  for (const text of ['', '{', '{"a":01}', '[-012]', '[1.]', '370602199001011238 1']) expect(() => parseExact(text), text).toThrow(SyntaxError)
})
