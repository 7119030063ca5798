import { expect, test } from 'vitest'
import { bytesOf, hexDump, textOf } from './payload'

const base64 = (bytes: number[]) => btoa(String.fromCharCode(...bytes))

test('text is shown as text, other bytes are not', () => {
  expect(textOf(bytesOf(base64([...new TextEncoder().encode('{"v":"水位"}\n')])))).toBe('{"v":"水位"}\n')
  expect(textOf(bytesOf(base64([0xff, 0xfe])))).toBeNull()
  expect(textOf(bytesOf(base64([0x61, 0x00])))).toBeNull()
  expect(textOf(bytesOf(''))).toBe('')
})

test('what is no base64 is no bytes', () => {
  expect(bytesOf('%%%')).toHaveLength(0)
  expect(bytesOf(null)).toHaveLength(0)
})

test('a dump has the offset, the bytes and what of them is printable', () => {
  const dump = hexDump(Uint8Array.from({ length: 18 }, (_, i) => 0x40 + i))
  expect(dump.split('\n')).toEqual([
    '000000  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO',
    `000010  ${'50 51'.padEnd(47)}  PQ`,
  ])
  expect(hexDump(new Uint8Array(40), 16).split('\n')).toHaveLength(1)
})
