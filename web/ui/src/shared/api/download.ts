// Saves what the server gives as a file. It is fetched first: a refusal is a sentence on the page, not a file.

import { ApiError, pageHeaders } from './client'
import type { Problem } from './types'

export interface Downloaded {
  name: string
  headers: Headers
}

/** The name out of Content-Disposition, the RFC 5987 one first. */
export function fileName(disposition: string | null, otherwise: string): string {
  const star = /filename\*=(?:UTF-8|utf-8)''([^;]+)/.exec(disposition ?? '')?.[1]
  const plain = /filename="?([^";]+)"?/.exec(disposition ?? '')?.[1]
  try {
    return star ? decodeURIComponent(star) : (plain ?? otherwise)
  } catch {
    return plain ?? otherwise
  }
}

/** Fetches an address and hands it to the browser to keep; throws ApiError as a request does. */
export async function download(address: string, otherwise: string): Promise<Downloaded> {
  let response: Response
  let body: Blob
  try {
    response = await fetch(address, { credentials: 'same-origin', headers: pageHeaders() })
    body = await response.clone().blob()
  } catch {
    throw new ApiError(0, { title: 'unreachable' })
  }
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({ title: response.statusText }))) as Problem
    throw new ApiError(response.status, problem)
  }
  const name = fileName(response.headers.get('Content-Disposition'), otherwise)
  const link = document.createElement('a')
  link.href = URL.createObjectURL(body)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  return { name, headers: response.headers }
}
