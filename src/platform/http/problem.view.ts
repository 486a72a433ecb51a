import { ApiProperty } from '@nestjs/swagger';
import { PROBLEM_STATUS, type FieldError, type ProblemCode } from '../../kernel/problem';

/** One field that is wrong. */
export class FieldErrorView implements FieldError {
  @ApiProperty({ description: 'Path of the field, with indexes in brackets.', example: 'recipients[0].email' })
  field: string;

  @ApiProperty({ description: 'Stable machine word for what is wrong with it.', example: 'required' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'recipients[0].email is required' })
  message: string;
}

/** Every error answer: RFC 9457 (`application/problem+json`). */
export class ProblemView {
  @ApiProperty({ description: 'Always false.', enum: [false], example: false })
  success: false;

  @ApiProperty({
    description:
      'URI reference that identifies the kind of problem: `/problems/` and the code. Compare it, do not fetch it.',
    format: 'uri-reference',
    example: '/problems/invalid_request',
  })
  type: string;

  @ApiProperty({
    description: 'Short text, the same for every problem of this kind.',
    example: 'The request is not valid',
  })
  title: string;

  @ApiProperty({ description: 'The HTTP status.', type: 'integer', minimum: 400, maximum: 599, example: 400 })
  status: number;

  @ApiProperty({ description: 'What is wrong with this request, for people.', example: 'to: to is required' })
  detail: string;

  @ApiProperty({
    description: 'Stable machine word.',
    enum: Object.keys(PROBLEM_STATUS),
    enumName: 'ProblemCode',
    example: 'invalid_request',
  })
  code: ProblemCode;

  @ApiProperty({
    description: 'The fields that are wrong; empty when it is not about fields.',
    type: [FieldErrorView],
    example: [{ field: 'to', code: 'required', message: 'to is required' }],
  })
  errors: FieldErrorView[];

  @ApiProperty({
    description: 'The same as the header `X-Request-Id`. Name it when you ask for help.',
    example: 'req_01kaqz9yq8e5v6m3c2n1b0a9s8',
  })
  request_id: string;
}
