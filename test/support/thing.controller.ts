import {
  Body,
  Controller,
  Get,
  HttpException,
  MethodNotAllowedException,
  Param,
  Post,
  Query,
  Req,
} from '@nestjs/common';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { Problem } from '../../src/kernel/problem';
import { PageQueryDto } from '../../src/platform/http/cursor';
import { ok } from '../../src/platform/http/envelope';
import type { HttpRequest } from '../../src/platform/http/http-request';
import { Public } from '../../src/tenancy/auth.decorators';

class PersonDto {
  @IsString()
  @MaxLength(20)
  email: string;
}

class ThingDto {
  @IsString()
  @MaxLength(50)
  to: string;

  @IsOptional()
  @IsInt()
  count?: number;

  @IsOptional()
  @IsBoolean()
  dry?: boolean;

  @IsOptional()
  @IsObject()
  metadata?: Record<string, unknown>;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(3)
  @ValidateNested()
  @Type(() => PersonDto)
  recipients?: PersonDto[];

  @IsOptional()
  @ValidateNested()
  @Type(() => PersonDto)
  owner?: PersonDto;
}

class ThingQueryDto extends PageQueryDto {
  @IsOptional()
  @IsString()
  to?: string;

  @IsOptional()
  @Type(() => Boolean)
  @IsBoolean()
  all?: boolean;
}

/** Requests that `GET /v1/slow` holds, to be let go by the test. */
export class SlowRequests {
  private static held: Array<() => void> = [];
  private static arrived: () => void = () => {};

  static hold(): Promise<void> {
    return new Promise((resolve) => {
      this.held.push(resolve);
      this.arrived();
    });
  }

  /** Resolves when the next one has arrived. */
  static next(): Promise<void> {
    return new Promise((resolve) => (this.arrived = resolve));
  }

  static letGo(): void {
    for (const resolve of this.held.splice(0)) resolve();
  }
}

/** Routes of every kind, for the specs of the HTTP platform. */
@Public()
@Controller()
export class ThingController {
  @Post('v1/things')
  create(@Body() body: ThingDto) {
    return ok({ dto: body.constructor.name, body });
  }

  @Post('v1/messages/batch')
  batch(@Body() body: Record<string, unknown>) {
    return ok(Object.keys(body).length);
  }

  @Get('v1/things')
  list(@Query() query: ThingQueryDto) {
    return ok(query);
  }

  @Get('v1/things/:id')
  get(@Param('id') id: string) {
    return ok(id);
  }

  @Post('v1/bare')
  bare(@Body() body: unknown) {
    return ok(body ?? null);
  }

  @Post('webhook/raw')
  raw(@Req() request: HttpRequest) {
    return ok({ hex: request.rawBody!.toString('hex'), parsed: request.body !== undefined, query: request.query });
  }

  @Get('v1/fail/:how')
  fail(@Param('how') how: string) {
    if (how === 'problem') throw new Problem('conflict', 'It is so.', { headers: { 'X-Why': 'test' } });
    if (how === 'database') throw Object.assign(new Error('terminating connection: secret-host'), { code: '57P01' });
    if (how === 'method') throw new MethodNotAllowedException('echo <script>');
    if (how === 'teapot') throw new HttpException('short and stout', 418);
    throw new Error('SELECT secret FROM stack');
  }

  @Get('v1/slow')
  async slow() {
    await SlowRequests.hold();
    return ok('done');
  }
}
