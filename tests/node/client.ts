// A client that only the OpenAPI document has told about the server: signs in, lists visits, writes
// one under an Idempotency-Key, reads it, pulls by /v1/sync. types.mjs type-checks it. Node 22.18 or
// newer runs it: node client.ts http://127.0.0.1:8080 13800000001 xiangyi-demo

import createClient from 'openapi-fetch'
import type { components, paths } from './openapi.js'

type Schemas = components['schemas']
type Verdict = Schemas['Verdict']
type Visit = Schemas['visit_record']

/** What a phone keeps of a pull. */
export interface Pulled {
  cursor: string | undefined
  rows: Schemas['Row'][]
  sums: Schemas['StreamSum'][]
}

/** A failed request: the server's own words and its closed list of codes. */
export class Refused extends Error {
  readonly problem: Schemas['Problem']

  constructor(problem: Schemas['Problem']) {
    super(`${problem.code}: ${problem.detail_en}`)
    this.problem = problem
  }

  /** Whether the same request may succeed later, and when. */
  get retryMs(): number | undefined {
    return this.problem.retry_ms ?? undefined
  }
}

function kept<T>({ data, error }: { data?: T; error?: Schemas['Problem'] }): T {
  if (error !== undefined || data === undefined) throw new Refused(error as Schemas['Problem'])
  return data
}

export async function signedIn(server: string, telephone: string, password: string) {
  const client = createClient<paths>({ baseUrl: server })
  const body = { telephone, password }
  const session = kept(await client.POST('/v1/sessions', { body }))
  client.use({
    onRequest({ request }) {
      request.headers.set('Authorization', `Bearer ${session.access_token}`)
      return request
    },
  })
  return { client, session }
}

type Client = Awaited<ReturnType<typeof signedIn>>['client']

/** All visits of a county, page by page. */
export async function visits(client: Client, unit: string): Promise<Visit[]> {
  const all: Visit[] = []
  for (let after: number | null = 0; after !== null;) {
    const query: { unit: string; limit: number; after: number } = { unit, limit: 50, after }
    const page: Schemas['visit_page'] = kept(await client.GET('/v1/visits', { params: { query } }))
    all.push(...page.records)
    after = page.next
  }
  return all
}

/** Writes a visit; the same key and content again have no second effect. */
export async function write(client: Client, unit: string, key: string): Promise<Verdict> {
  const ended_at = Date.now() - 3_600_000
  const body: Schemas['visit'] = {
    started_at: ended_at - 1_800_000,
    ended_at,
    no_client_reason: '入户未遇',
    mode: 'home',
    outcome: { kind: 'not_home' },
  }
  const params = { header: { 'Idempotency-Key': key } }
  return kept(await client.POST('/v1/visits', { params, body: { unit, body } }))
}

/** Corrects a visit against the revision that was seen. */
export async function correct(client: Client, visit: Visit, result: string, key: string) {
  const params = { path: { id: visit.id }, header: { 'Idempotency-Key': key } }
  const body = { unit: visit.unit, base: visit.rev, set: { '/result': result } }
  return kept(await client.PATCH('/v1/visits/{id}', { params, body }))
}

export async function read(client: Client, id: string, unit: string): Promise<Visit> {
  const params = { path: { id }, query: { unit } }
  return kept(await client.GET('/v1/visits/{id}', { params }))
}

/** Everything that the person may see, page by page. */
export async function pulled(client: Client): Promise<Pulled> {
  const { device, limits } = kept(await client.POST('/v1/devices'))
  const held: Pulled = { cursor: undefined, rows: [], sums: [] }
  for (let more = true; more;) {
    const pull = { cursor: held.cursor ?? null, max_bytes: limits.page_bytes, sums: true }
    const answer = kept(await client.POST('/v1/sync', { body: { protocol: 1, device, pull } }))
    const page = answer.pull ?? {}
    for (const { rows } of page.changes ?? []) held.rows.push(...rows.filter((row) => !row.rm))
    held.sums.push(...(page.sums ?? []))
    held.cursor = page.cursor ?? held.cursor
    more = page.more ?? false
  }
  return held
}

/** What is to be told of a verdict; every name is answered, or this does not compile. */
export function words(verdict: Verdict): string {
  switch (verdict.verdict) {
    case 'accepted':
    case 'merged':
      return (verdict.notices ?? []).map((notice) => notice.message).join('')
    case 'duplicate':
      return verdict.was ? words(verdict.was) : ''
    case 'conflict':
      return (verdict.fields ?? []).join('、')
    case 'rejected':
    case 'held':
      return `${verdict.rule?.clause ?? ''}${verdict.message ?? ''}`
    case 'invalid':
      return (verdict.errors ?? []).map((fault) => fault.detail).join('')
    default:
      return verdict.verdict satisfies never
  }
}

/** The county's day: what is not known is null, never 0. */
export async function openIncidents(client: Client, unit: string): Promise<number | null> {
  const day = kept(await client.GET('/v1/today', { params: { query: { unit } } }))
  return day.totals.incidents_open
}

const [server, telephone, password] = (globalThis as { process?: { argv: string[] } })
  .process?.argv.slice(2) ?? []
if (server && telephone && password) {
  const { client, session } = await signedIn(server, telephone, password)
  const unit = session.person.roles[0]?.unit ?? ''
  const verdict = await write(client, unit, crypto.randomUUID())
  const one = await read(client, verdict.id, unit)
  const listed = await visits(client, unit)
  const { rows } = await pulled(client)
  const told = [verdict.verdict, words(verdict), one.body.mode, listed.length, rows.length]
  console.log(told.join(' | '))
}
