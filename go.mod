module ovnreplay

go 1.26
