/** The reference: the least that this stack can answer. One route, one DTO of four fields through the stock pipe, answered at once. */
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { Body, Controller, HttpCode, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsOptional, IsString, MaxLength, MinLength } from 'class-validator';
import { serveParent } from './child';

class EmptyDto {
  @IsString()
  @MinLength(1)
  @MaxLength(32)
  to: string;

  @IsString()
  @MinLength(1)
  @MaxLength(1600)
  message: string;

  @IsOptional()
  @IsString()
  @MaxLength(16)
  from?: string;

  @IsOptional()
  @IsString()
  @MaxLength(128)
  reference?: string;
}

let count = 0;

@Controller()
class EmptyController {
  @Post('messages')
  @HttpCode(202)
  take(@Body() body: EmptyDto): { id: string; status: string; to: string } {
    return { id: `msg_${++count}`, status: 'queued', to: body.to };
  }
}

@Module({ controllers: [EmptyController] })
class EmptyModule {}

const started = (async () => {
  const app = await NestFactory.create(EmptyModule, { logger: false });
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));
  await app.listen(0, '127.0.0.1');
  return ((app.getHttpServer() as Server).address() as AddressInfo).port;
})();

serveParent<{ type: 'port' }>(() => started);
